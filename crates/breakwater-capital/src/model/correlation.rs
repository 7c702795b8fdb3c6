//! Correlation matrices: the check that one is possible, and its factor.

use crate::fault::Fault;

/// The lower Cholesky factor of a correlation matrix of `names`.
///
/// # Errors
/// If it is not square, symmetric, of unit diagonal and positive definite; the last names the pair whose correlation
/// cannot stand beside those before it.
pub(super) fn factor(matrix: &[Vec<f64>], names: &[&str], at: &str) -> Result<Vec<Vec<f64>>, Fault> {
    let n = names.len();
    if matrix.len() != n || matrix.iter().any(|row| row.len() != n) {
        let columns = matrix.first().map_or(0, Vec::len);
        return Err(Fault::new(
            at,
            format!("{} x {columns} numbers for {n} members; it must be {n} x {n}", matrix.len()),
        ));
    }
    for (i, row) in matrix.iter().enumerate() {
        for (j, &value) in row.iter().enumerate() {
            let pair = || format!("{at}[{i}][{j}] ({:?} with {:?})", names[i], names[j]);
            if !value.is_finite() || value.abs() > 1.0 {
                return Err(Fault::new(
                    pair(),
                    format!("{value} is no correlation; it must be from -1 to 1"),
                ));
            }
            if i == j && value != 1.0 {
                return Err(Fault::new(pair(), format!("the diagonal is {value}; it must be 1")));
            }
            if matrix[j][i] != value {
                return Err(Fault::new(
                    pair(),
                    format!("{value} one way and {} the other; it must be symmetric", matrix[j][i]),
                ));
            }
        }
    }
    let mut lower = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let dot = (0..j).fold(0.0, |sum, k| sum + lower[i][k] * lower[j][k]);
            if i == j {
                let left = 1.0 - dot;
                if left <= 1e-12 {
                    return Err(impossible(&lower[i][..i], i, names, matrix, at));
                }
                lower[i][i] = left.sqrt();
            } else {
                lower[i][j] = (matrix[i][j] - dot) / lower[j][j];
            }
        }
    }
    Ok(lower)
}

/// The pair with the greatest part in what is left over being nothing.
fn impossible(row: &[f64], i: usize, names: &[&str], matrix: &[Vec<f64>], at: &str) -> Fault {
    let j = (0..i).max_by(|&a, &b| row[a].abs().total_cmp(&row[b].abs())).unwrap_or(0);
    Fault::new(
        format!("{at}[{i}][{j}] ({:?} with {:?})", names[i], names[j]),
        format!(
            "not positive definite: a correlation of {} is impossible beside those of the members before; bring it nearer to 0",
            matrix[i][j]
        ),
    )
}
