//! The choices for each family of ops.

/// How a smooth pointwise function h is frozen at x₀.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pointwise {
    /// Gain (h(x₀) − h(0))/x₀, source h(0): the line through the origin's image and the point.
    #[default]
    Secant,
    /// Gain h′(x₀), source h(x₀) − h′(x₀) x₀: the tangent.
    Taylor,
    /// Gain h(x₀)/x₀, no source, as the paper words it. An error where x₀ ≈ 0 and h(0) ≠ 0.
    Mask,
}

/// Which statistics of an instance, group, layer or RMS norm are frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Normalisation {
    /// Mean and standard deviation (the paper's Fig. 2): the norm becomes pointwise.
    #[default]
    MeanAndStd,
    /// The standard deviation only; the mean stays a linear map of the input.
    StdOnly,
    /// Nothing: mean and standard deviation follow the input to first order.
    Taylor,
}

/// How a product or quotient is frozen if both tensors depend on the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Product {
    /// x · g with one gate: the gate is frozen, g₀ x₁. With no gate or two: ½(g₀ x₁ + x₀ g₁). For
    /// a / b, b is frozen.
    #[default]
    Gate,
    /// Always ½(g₀ x₁ + x₀ g₁). For a / b, b is frozen.
    Halves,
    /// The tangent: g₀ x₁ + x₀ g₁ − x₀ g₀; a₁/b₀ − a₀ b₁/b₀² + a₀/b₀.
    Taylor,
}

/// What the entries choose at one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// For smooth pointwise functions.
    pub pointwise: Pointwise,
    /// For norms.
    pub normalisation: Normalisation,
    /// For products, quotients and softmax.
    pub product: Product,
}

impl Choices {
    /// The tangent of everything.
    pub(crate) const TANGENT: Self = Self {
        pointwise: Pointwise::Taylor,
        normalisation: Normalisation::Taylor,
        product: Product::Taylor,
    };
}
