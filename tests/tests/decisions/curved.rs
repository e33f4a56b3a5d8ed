//! What changes by degrees has no radius. It must be refused by the name of an op that is curved, also
//! where it is one node with a kinked op, stands behind or before one, is frozen as constant or
//! straight-through, or only feeds a decision.

use burn::{
    nn::{GroupNormConfig, InstanceNormConfig, LocalResponseNormConfig, RmsNormConfig},
    tensor::{
        activation,
        module::{attention, conv2d, deform_conv2d, layer_norm},
        ops::{AttentionModuleOptions, ConvOptions, DeformConvOptions, GridSampleOptions},
    },
};
use burn_dispatch::Dispatch;
use linearscope::{Entry, Rule, RuleSet, linear};
use linearscope_tests::certified::captured;

use crate::{
    Answer,
    data::{beside, bits, fixed, flat, holds, weighed},
};

const FLAT: [usize; 2] = [3, 4];
const PICTURE: [usize; 4] = [1, 2, 4, 4];

networks! { Refusal, FLAT, "";
    tanh by ["Tanh"]: |x| x.tanh();
    sigmoid by ["Sigmoid"]: |x| activation::sigmoid(x);
    gelu by ["Gelu"]: |x| activation::gelu(x);
    exp by ["Exp"]: |x| x.exp();
    hypotenuse by ["Hypot"]: |x| (x.clone() + 0.5).hypot(x);
    hypotenuse_beside_a_decision by ["Hypot"]: |x| x.clone().hypot(bits(&x, FLAT) + 0.5);
    square by ["Powi", "Powf", "Mul"]: |x| x.square();
    reciprocal by ["Recip"]: |x| (x.abs() + 1.0).recip();
    elu by ["Exp", "Mask", "Lower", "Greater", "Mul", "Sub"]: |x| activation::elu(x, 0.7);
    softplus by ["Mul", "Exp", "Log", "Mask", "Add", "Sub", "Div"]: |x| activation::softplus(x, 1.0);
    mish by ["Mul", "Tanh", "Exp", "Log", "Mask", "Add"]: |x| activation::mish(x);
    softmax by ["Softmax"]: |x| activation::softmax(x, 1);
    log_softmax by ["LogSoftmax"]: |x| activation::log_softmax(x, 1);
    softmax_by_hand by ["Exp", "Div", "Sum", "Sub"]: |x| {
        let e = (x.clone() - x.max_dim(1)).exp();
        e.clone() / e.sum_dim(1)
    };
    softsign by ["Div"]: |x| activation::softsign(x);
    silu by ["Mul", "Sigmoid"]: |x| activation::silu(x);
    hard_swish by ["Mul"]: |x| activation::hard_swish(x);
    /// A clip is a gate: its product with x is curved, whatever the clip says of its own kinks.
    a_clip_as_a_gate by ["Mul"]: |x| x.clone() * x.clamp(-0.5, 0.5);
    a_product by ["Mul"]: |x| x.clone() * x.flip([1]);
    a_quotient by ["Div"]: |x| x.clone() / (x.flip([1]) + 10.0);
    a_constant_over_it by ["Div"]: |x| fixed(&x, FLAT, 2) / (x + 10.0);
    a_matrix_product by ["Matmul"]: |x| x.clone().matmul(x.transpose());
    a_cross_product by ["Cross"]: |x| {
        let (a, b) = (x.clone().narrow(1, 0, 3), x.narrow(1, 1, 3));
        a.cross(b, 1)
    };
    a_traced_slope by ["PRelu", "Prelu"]: |x| {
        let slope = x.clone().mean_dim(0).reshape([4]);
        activation::prelu(x, slope)
    };
    a_length by ["Powi", "Powf", "Sqrt", "Sum", "Mul"]: |x| x.square().sum_dim(1).sqrt();
    curved_behind_a_relu by ["Tanh"]: |x| activation::relu(x).tanh();
    curved_before_a_relu by ["Tanh"]: |x| activation::relu(x.tanh() - 0.2);
    curved_beside_a_relu by ["Tanh"]: |x| beside(activation::relu(x.clone()), x.tanh());
    curved_beside_a_decision by ["Tanh"]: |x| {
        beside(x.clone().tanh(), x.greater_scalar(0.2).float())
    };
    normed by ["LayerNorm"]: |x| layer_norm(x.clone(), fixed(&x, [4], 2), None, 1e-3);
    normed_by_decisions by ["LayerNorm"]: |x| {
        let gamma = x.clone().narrow(0, 0, 1).greater_scalar(0.1).float().reshape([4]);
        layer_norm(x, gamma, None, 1e-3)
    };
    root_mean_square by ["Powi", "Powf", "Mul", "Div", "Mean", "Sqrt"]: |x| {
        let norm = RmsNormConfig::new(4).init(&x.device());
        norm.forward(x)
    };
    unit_length by ["Powi", "Powf", "Mul", "Div", "Sum", "Sqrt", "Abs"]: |x| {
        let length = x.clone().square().sum_dim(1).sqrt();
        x / length
    };
    /// Its divisor is piecewise linear, the quotient is not.
    by_its_largest_size by ["Div"]: |x| x.clone() / x.max_abs_dim(1);
}

networks! { Refusal, PICTURE, "";
    instance_norm by ["Mean", "Sub", "Div", "Mul", "Sqrt", "Pow", "Add", "Var", "Sum", "Reshape", "BatchNorm"]: |x| {
        let norm = InstanceNormConfig::new(2).init(&x.device());
        norm.forward(x)
    };
    group_norm by ["Mean", "Sub", "Div", "Mul", "Sqrt", "Pow", "Add", "Var", "Sum", "Reshape"]: |x| {
        let norm = GroupNormConfig::new(1, 2).init(&x.device());
        norm.forward(x)
    };
    local_response_norm by ["Mul", "Pow", "Div", "Avg", "Pad", "Add", "Slice", "Sum", "Reshape"]: |x| {
        let norm = LocalResponseNormConfig::new(3).init();
        norm.forward(x)
    };
    an_attention by ["Attention"]: |x| {
        attention(x.clone(), x.clone() * 0.5, x, None, None, AttentionModuleOptions::default())
    };
    weights_of_its_own by ["Conv2d"]: |x| {
        let weight = x.clone().narrow(2, 0, 1).reshape([1, 2, 2, 2]);
        conv2d(x, weight, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
    };
    a_grid_of_its_own by ["GridSample"]: |x| {
        let grid = x.clone().narrow(1, 0, 1).reshape([1, 2, 4, 2]) * 0.3;
        x.grid_sample_2d(grid, GridSampleOptions::default())
    };
    offsets_of_its_own by ["Deform"]: |x| {
        let kernel = fixed(&x, [8, 2, 2, 2], 3);
        let offset = conv2d(x.clone(), kernel, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
        let weight = fixed(&x, [3, 2, 2, 2], 4);
        deform_conv2d(x, offset, weight, None, None, DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1))
    };
}

// Nor by another rule for its statistics.
networks! { Refusal, FLAT, "std-only";
    normed_with_a_traced_mean by ["LayerNorm"]: |x| {
        layer_norm(x.clone(), fixed(&x, [4], 2), None, 1e-3)
    };
    normed_by_hand_with_a_traced_mean by ["Powi", "Powf", "Mul", "Div", "Mean", "Sqrt", "Sub"]: |x| {
        let centred = x.clone() - x.mean_dim(1);
        let spread = (centred.clone().square().mean_dim(1) + 1e-3).sqrt();
        centred / spread
    };
}

networks! { Refusal, FLAT, "taylor";
    normed_by_its_tangent by ["LayerNorm"]: |x| {
        layer_norm(x.clone(), fixed(&x, [4], 2), None, 1e-3)
    };
    normed_by_hand_by_its_tangent by ["Powi", "Powf", "Mul", "Div", "Mean", "Sqrt", "Sub"]: |x| {
        let centred = x.clone() - x.mean_dim(1);
        let spread = (centred.clone().square().mean_dim(1) + 1e-3).sqrt();
        centred / spread
    };
    a_product_by_its_tangent by ["Mul"]: |x| x.clone() * x.flip([1]);
}

networks! { Refusal, FLAT, "halves";
    half_of_a_product by ["Mul"]: |x| x.clone() * x.clamp(-0.5, 0.5);
}

networks! { Refusal, FLAT, "mask";
    masked_tanh by ["Tanh"]: |x| x.tanh();
}

// What is frozen as constant, and changes by degrees.
networks! { Refusal, FLAT, "tanh=constant"; tanh_as_a_constant by ["Tanh"]: |x| beside(x.clone(), x.tanh()); }
networks! { Refusal, FLAT, "relu=constant"; relu_as_a_constant by ["Relu"]: |x| beside(x.clone(), activation::relu(x)); }
networks! { Refusal, FLAT, "abs=constant"; abs_as_a_constant by ["Abs"]: |x| x.clone() + x.abs(); }
networks! { Refusal, FLAT, "MulScalar=constant"; multiple_as_a_constant by ["MulScalar"]: |x| beside(x.clone(), x * 2.0); }
networks! { Refusal, FLAT, "RemScalar=constant"; remainder_as_a_constant by ["RemScalar"]: |x| {
    beside(x.clone(), x.remainder_scalar(0.7))
}; }
networks! { Refusal, FLAT, "sort=constant"; sort_as_a_constant by ["Sort"]: |x| beside(x.clone(), x.sort(1)); }
networks! { Refusal, FLAT, "matmul=constant"; product_as_a_constant by ["Matmul"]: |x| {
    let weight = fixed(&x, [4, 4], 3);
    beside(x.clone(), x.matmul(weight))
}; }
networks! { Refusal, PICTURE, "MaxPool2d=constant"; pool_as_a_constant by ["MaxPool"]: |x| {
    use burn::tensor::{module::max_pool2d, ops::MaxPoolOptions};
    beside(x.clone(), max_pool2d(x, MaxPoolOptions::new([2, 2])))
}; }

// What is straight-through: the slope of 1 is nobody's.
networks! { Refusal, FLAT, "round=straight-through"; round_straight_through by ["Round"]: |x| (x * 3.0).round(); }
networks! { Refusal, FLAT, "sign=straight-through"; sign_straight_through by ["Sign"]: |x| x.sign(); }
networks! { Refusal, FLAT, "relu=straight-through"; relu_straight_through by ["Relu"]: |x| activation::relu(x); }
networks! { Refusal, FLAT, "clamp=straight-through"; clip_straight_through by ["Clamp"]: |x| x.clamp(-0.5, 0.5); }

/// A rule of the user's is whatever it is: nobody knows where it holds.
#[test]
fn a_rule_of_ones_own() {
    let network = captured(FLAT, activation::relu);
    let rule = Rule::custom::<Dispatch>("mine", |_| linear::multiple(0.5));
    let rules = RuleSet::default().with(Entry::new(rule).op("relu"));
    holds(
        "a rule of one's own",
        network,
        rules,
        Answer::Refusal,
        &["Relu"],
    );
}

// A decision made of what is curved: its kink lies where no linear reading finds it.
networks! { Either, FLAT, "";
    a_comparison_of_a_tanh by ["Tanh", "Greater"]: |x| {
        beside(x.clone(), (x * 2.0).tanh().greater_scalar(0.3).float())
    };
    a_comparison_of_a_square by ["Powi", "Powf", "Mul", "Greater"]: |x| {
        beside(x.clone(), x.square().greater_scalar(0.5).float())
    };
    a_comparison_of_a_length by ["Powi", "Powf", "Mul", "Sqrt", "Sum", "Lower"]: |x| {
        let length = x.clone().square().sum_dim(1).sqrt().expand(FLAT);
        beside(x.clone(), (x * 2.0).lower(length).float())
    };
    a_comparison_of_a_product by ["Mul", "Greater"]: |x| {
        beside(x.clone(), (x.clone() * x.flip([1])).greater_scalar(0.3).float())
    };
    a_truncation_of_an_exponential by ["Exp", "IntoInt"]: |x| beside(x.clone(), x.exp().int().float());
    an_argmax_of_a_softmax by ["Softmax", "ArgMax"]: |x| {
        beside(x.clone(), activation::softmax(x, 1).argmax(1).float())
    };
    an_order_of_squares by ["Powi", "Powf", "Mul", "ArgSort", "Sort"]: |x| {
        beside(x.clone(), x.square().argsort(1).float())
    };
    a_comparison_of_a_norm by ["LayerNorm", "Greater"]: |x| {
        let normed = layer_norm(x.clone(), fixed(&x, [4], 2), None, 1e-3);
        beside(x, normed.greater_scalar(0.2).float())
    };
    a_comparison_of_a_norm_by_hand by ["Powi", "Powf", "Mul", "Sqrt", "Mean", "Sub", "Div", "Greater"]: |x| {
        let centred = x.clone() - x.clone().mean_dim(1);
        let spread = (centred.clone().square().mean_dim(1) + 1e-3).sqrt();
        beside(x, (centred / spread).greater_scalar(0.2).float())
    };
    a_comparison_of_a_softplus by ["Exp", "Log", "Mul", "Div", "Mask", "Add", "Sub", "Greater"]: |x| {
        beside(x.clone(), activation::softplus(x, 1.0).greater_scalar(0.8).float())
    };
    a_mask_of_a_quotient by ["Div", "Lower"]: |x| {
        let share = x.clone() / x.clone().flip([1]);
        let low = share.lower_scalar(0.5);
        x.mask_fill(low, 0.0)
    };
}

networks! { Either, FLAT, "tanh=constant";
    a_comparison_of_a_constant_tanh by ["Tanh", "Greater"]: |x| {
        beside(x.clone(), (x * 2.0).tanh().greater_scalar(0.3).float())
    };
}

networks! { Either, FLAT, "relu=straight-through";
    a_comparison_of_a_straight_through_relu by ["Relu", "Greater"]: |x| {
        beside(x.clone(), activation::relu(x).greater_scalar(0.4).float())
    };
}

networks! { Either, FLAT, "round=straight-through";
    a_comparison_of_a_straight_through_round by ["Round", "Greater"]: |x| {
        weighed(x.clone()) + (x * 2.0).round().greater_scalar(0.4).float()
    };
}

networks! { Either, FLAT, "taylor";
    a_kink_under_the_tangent by ["Relu", "Tanh", "Powi", "Powf", "Mul"]: |x| {
        flat(activation::relu(x.clone()) + x.tanh())
    };
}

networks! { Exact, FLAT, "taylor";
    a_decision_under_the_tangent by ["Greater"]: |x| {
        beside(x.clone(), x.greater_scalar(0.2).float())
    };
}
