//! The generalised Pareto law of scale 1, by `age`: minus the logarithm of its survival.

/// `-ln P(X > t)` of a generalised Pareto law of scale 1: `ln(1 + xi t) / xi`.
pub(super) fn gpd_age(xi: f64, t: f64) -> f64 {
    let y = xi * t;
    if y <= -1.0 || t == f64::INFINITY {
        f64::INFINITY
    } else if y.abs() < 1e-10 {
        t * (1.0 - 0.5 * y)
    } else {
        libm::log1p(y) / xi
    }
}

/// The inverse of [`gpd_age`].
pub(super) fn gpd_at_age(xi: f64, age: f64) -> f64 {
    let y = xi * age;
    if y.abs() < 1e-10 { age * (1.0 + 0.5 * y) } else { libm::expm1(y) / xi }
}

/// The integral of the survival function between two ages: of `exp(-(1 - xi) z)` over `z`.
pub(super) fn gpd_integral(xi: f64, young: f64, old: f64) -> f64 {
    let rate = 1.0 - xi;
    if young == f64::INFINITY {
        return 0.0;
    }
    if old == f64::INFINITY {
        return if rate > 0.0 { libm::exp(-rate * young) / rate } else { f64::INFINITY };
    }
    let width = old - young;
    let y = rate * width;
    let relative = if y.abs() < 1e-10 { 1.0 - 0.5 * y } else { -libm::expm1(-y) / y };
    libm::exp(-rate * young) * width * relative
}
