//! A node that passes every question on and changes the answers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// Listens for as long as the test runs; every `from` in an answer becomes `into`.
pub(crate) fn start(node: &str, from: String, into: String) -> String {
    let node = node.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (node, from, into) = (node.clone(), from.clone(), into.clone());
            std::thread::spawn(move || serve(client, &node, &from, &into));
        }
    });
    url
}

/// One question a connection: both sides are told to close it.
fn serve(mut client: TcpStream, node: &str, from: &str, into: &str) -> Option<()> {
    let (_, question) = message(&mut client)?;
    let mut upstream = TcpStream::connect(node).ok()?;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {node}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        question.len()
    );
    upstream.write_all(&[head.as_bytes(), &question].concat()).ok()?;
    let (_, answer) = message(&mut upstream)?;
    let answer = String::from_utf8(answer).ok()?.replace(&format!("\"{from}\""), &format!("\"{into}\""));
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    client.write_all(&[head.as_bytes(), answer.as_bytes()].concat()).ok()
}

/// Head and body of an HTTP message with a content length.
fn message(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).ok()?.to_lowercase();
            let length: usize =
                head.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()?;
            if bytes.len() >= end + 4 + length {
                return Some((head, bytes[end + 4..end + 4 + length].to_vec()));
            }
        }
        let count = stream.read(&mut buffer).ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}
