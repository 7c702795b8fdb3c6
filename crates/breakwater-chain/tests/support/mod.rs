//! A local chain and a proxy before it that fails, lags and lies on demand.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alloy::primitives::B256;
use breakwater_chain::{Anvil, AnvilBuilder, AnvilError, Endpoints, Limits, Receipt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// Starts anvil, or says loudly that the test was skipped for want of it.
pub(crate) fn anvil(options: AnvilBuilder) -> Option<Anvil> {
    match options.hardfork("prague").start() {
        Ok(anvil) => Some(anvil),
        Err(AnvilError::NotFound { from }) => {
            println!("SKIPPED 1 test: no anvil binary found from {}", from.display());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Bounds under which failures are quick.
pub(crate) fn quick() -> Limits {
    Limits {
        call_timeout: Duration::from_secs(2),
        backoff_first: Duration::from_millis(5),
        backoff_max: Duration::from_millis(20),
        demotion_first: Duration::from_millis(50),
        demotion_max: Duration::from_millis(100),
        ..Limits::default()
    }
}

/// Waits for a transaction's receipt; anvil hands out the hash a moment before it mines.
pub(crate) async fn mined(anvil: &Anvil, hash: B256) -> Receipt {
    for _ in 0..200 {
        if let Some(receipt) = anvil.endpoints().receipt(hash).await.unwrap() {
            return receipt;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{hash} was not mined in two seconds");
}

/// What the proxy does with one request.
pub(crate) enum Twist {
    Pass,
    Delay(Duration),
    Status(u16),
    Error(i64, &'static str),
    Answer(Value),
    /// Asks the node with other parameters.
    Rewrite(Value),
    Edit(Box<dyn FnOnce(Value) -> Value + Send>),
}

pub(crate) fn edit(change: impl FnOnce(Value) -> Value + Send + 'static) -> Twist {
    Twist::Edit(Box::new(change))
}

type Rule = Box<dyn FnMut(&str, &Value) -> Twist + Send>;

/// An HTTP server that hands requests on to a node, twisted by a rule.
pub(crate) struct Proxy {
    pub(crate) url: Url,
    rule: Arc<Mutex<Rule>>,
    seen: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    pub(crate) async fn new(node: &Url) -> Self {
        Self::with(node, |_, _| Twist::Pass).await
    }

    pub(crate) async fn with(node: &Url, rule: impl FnMut(&str, &Value) -> Twist + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(rule)));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (served_rule, served_seen, node) = (rule.clone(), seen.clone(), node.clone());
        let task = tokio::spawn(async move {
            let client = reqwest::Client::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (rule, seen) = (served_rule.clone(), served_seen.clone());
                let (client, node) = (client.clone(), node.clone());
                tokio::spawn(async move { serve(stream, &client, &node, &rule, &seen).await });
            }
        });
        Self { url, rule, seen, task }
    }

    pub(crate) fn set(&self, rule: impl FnMut(&str, &Value) -> Twist + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    /// How many requests of a method have come in.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|seen| *seen == method).count()
    }
}

async fn serve(
    mut stream: TcpStream,
    client: &reqwest::Client,
    node: &Url,
    rule: &Mutex<Rule>,
    seen: &Mutex<Vec<String>>,
) -> Option<()> {
    let request = read_body(&mut stream).await?;
    let mut request: Value = serde_json::from_slice(&request).ok()?;
    let method = request["method"].as_str()?.to_owned();
    seen.lock().unwrap().push(method.clone());
    let twist = rule.lock().unwrap()(&method, &request["params"]);
    let twist = match twist {
        Twist::Rewrite(params) => {
            request["params"] = params;
            Twist::Pass
        }
        other => other,
    };
    let pass = || async {
        client.post(node.clone()).json(&request).send().await.unwrap().json::<Value>().await.unwrap()
    };
    let answer = match twist {
        Twist::Pass | Twist::Rewrite(_) => pass().await,
        Twist::Delay(time) => {
            tokio::time::sleep(time).await;
            pass().await
        }
        Twist::Status(status) => return respond(&mut stream, status, "no").await,
        Twist::Error(code, message) => {
            json!({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}})
        }
        Twist::Answer(result) => json!({"jsonrpc": "2.0", "id": 1, "result": result}),
        Twist::Edit(change) => {
            let mut answer = pass().await;
            answer["result"] = change(answer["result"].take());
            answer
        }
    };
    respond(&mut stream, 200, &answer.to_string()).await
}

async fn read_body(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0u8; 8192];
    loop {
        let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = head_end {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length: usize =
                head.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()?;
            if bytes.len() >= end + 4 + length {
                return Some(bytes[end + 4..].to_vec());
            }
        }
        match stream.read(&mut chunk).await.ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

async fn respond(stream: &mut TcpStream, status: u16, body: &str) -> Option<()> {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body.as_bytes()).await.ok()
}

pub(crate) fn endpoints(urls: &[&Url]) -> Endpoints {
    let urls: Vec<Url> = urls.iter().map(|url| (*url).clone()).collect();
    Endpoints::new(&urls, quick()).unwrap()
}
