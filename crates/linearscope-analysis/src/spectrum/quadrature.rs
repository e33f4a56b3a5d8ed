//! Gauss quadrature from a symmetric tridiagonal matrix (Golub and Welsch, 1969).

/// Eigenvalues of the tridiagonal matrix of `diagonal` and `beside`, one shorter, and the squares of the
/// first components of its eigenvectors: the nodes and weights of its quadrature. In no order.
///
/// The implicit QL iteration; `None` where an eigenvalue takes more than 60 steps, which happens for
/// numbers that are not finite only.
pub(super) fn nodes(diagonal: &[f64], beside: &[f64]) -> Option<Vec<(f64, f64)>> {
    let n = diagonal.len();
    let mut d = diagonal.to_vec();
    let mut e = [beside, &[0.0]].concat();
    // The first row of the eigenvectors, turned along.
    let mut first = vec![0.0; n];
    first[0] = 1.0;
    for l in 0..n {
        for step in 0.. {
            let small = |i: usize| e[i].abs() <= f64::EPSILON * (d[i].abs() + d[i + 1].abs());
            let m = (l..n - 1).find(|&i| small(i)).unwrap_or(n - 1);
            if m == l {
                break;
            }
            if step == 60 {
                return None;
            }
            // Wilkinson's shift.
            let mut g = (d[l + 1] - d[l]) / (2.0 * e[l]);
            let mut r = g.hypot(1.0);
            g = d[m] - d[l] + e[l] / (g + r.copysign(g));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut split = false;
            for i in (l..m).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                r = f.hypot(g);
                e[i + 1] = r;
                if r == 0.0 {
                    d[i + 1] -= p;
                    e[m] = 0.0;
                    split = true;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = d[i + 1] - p;
                r = (d[i] - g) * s + 2.0 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
                let z = first[i + 1];
                first[i + 1] = s * first[i] + c * z;
                first[i] = c * first[i] - s * z;
            }
            if !split {
                d[l] -= p;
                e[l] = g;
                e[m] = 0.0;
            }
        }
    }
    Some(d.into_iter().zip(first.iter().map(|z| z * z)).collect())
}

#[cfg(test)]
mod tests {
    use super::nodes;

    /// Σ weight · node^j is the first entry of T^j, j = 0..=2n − 1: what makes it Gauss quadrature.
    #[test]
    fn nodes_and_weights_give_the_moments() {
        for (diagonal, beside) in [
            (vec![2.0, 1.0, 3.0, 0.5], vec![1.0, 0.3, 2.0]),
            (vec![1.0, 1.0, 1.0], vec![0.0, 0.7]),
            (vec![4.0], vec![]),
            (vec![0.0, 0.0], vec![1.0]),
            (vec![0.0, 0.0, 0.0], vec![0.0, 0.0]),
        ] {
            let n = diagonal.len();
            let found = nodes(&diagonal, &beside).unwrap();
            let mut power = vec![0.0; n];
            power[0] = 1.0;
            for j in 0..2 * n as i32 {
                let moment: f64 = found
                    .iter()
                    .map(|(node, weight)| weight * node.powi(j))
                    .sum();
                assert!(
                    (moment - power[0]).abs() < 1e-9 * (1.0 + power[0].abs()),
                    "{j}"
                );
                power = (0..n)
                    .map(|i| {
                        let mut sum = diagonal[i] * power[i];
                        if i > 0 {
                            sum += beside[i - 1] * power[i - 1];
                        }
                        if i + 1 < n {
                            sum += beside[i] * power[i + 1];
                        }
                        sum
                    })
                    .collect();
            }
        }
    }
}
