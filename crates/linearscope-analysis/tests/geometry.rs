//! Where output pixels lie comes from the ops: small networks of known geometry, of sizes that a ratio of sizes would
//! mislead.

use burn::{
    module::Module,
    nn::{
        Linear, LinearConfig, PaddingConfig2d,
        conv::{
            Conv1d, Conv1dConfig, Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig,
        },
        pool::{AvgPool2d, AvgPool2dConfig, MaxPool2d, MaxPool2dConfig},
    },
    tensor::{Device, FloatDType, Tensor, TensorData, activation::relu, ops::PadMode},
};
use linearscope::{Network, RuleSet, noise};
use linearscope_analysis::{
    Error, FrozenNetwork, LinearOperator,
    maps::{Grid, Pictures, column_maps, row_maps, shift},
    operator::{ByProducts, Field},
    progress::unobserved,
};

/// All layers that a network here may use.
#[derive(Module, Debug)]
struct Layers {
    convs: Vec<Conv2d>,
    transposed: Vec<ConvTranspose2d>,
    lines: Vec<Conv1d>,
    dense: Vec<Linear>,
    max: Vec<MaxPool2d>,
    mean: Vec<AvgPool2d>,
}

impl Layers {
    fn none() -> Self {
        let device = Device::flex();
        device.seed(11);
        Self {
            convs: Vec::new(),
            transposed: Vec::new(),
            lines: Vec::new(),
            dense: Vec::new(),
            max: Vec::new(),
            mean: Vec::new(),
        }
    }

    fn conv(mut self, channels: [usize; 2], kernel: usize, stride: usize, padding: usize) -> Self {
        let config = Conv2dConfig::new(channels, [kernel; 2])
            .with_stride([stride; 2])
            .with_padding(PaddingConfig2d::Explicit(
                padding, padding, padding, padding,
            ));
        self.convs.push(config.init(&Device::flex()));
        self
    }

    fn up(mut self, channels: [usize; 2], kernel: usize, stride: usize, padding: usize) -> Self {
        let config = ConvTranspose2dConfig::new(channels, [kernel; 2])
            .with_stride([stride; 2])
            .with_padding([padding; 2]);
        self.transposed.push(config.init(&Device::flex()));
        self
    }
}

fn freeze<const D: usize, const E: usize>(
    layers: Layers,
    shape: [usize; D],
    forward: impl Fn(&Layers, Tensor<D>) -> Tensor<E>,
) -> FrozenNetwork {
    let network = Network::capture(&layers, |layers, ports| {
        let x = ports.input("x", shape);
        ports.output("y", forward(layers, x));
    });
    let network = network.expect("captures");
    let device = Device::flex();
    let loaded = FrozenNetwork::load(network, &device, FloatDType::F64).expect("loads");
    let x0 = TensorData::new(noise(shape.iter().product(), 5), shape);
    FrozenNetwork::new(loaded, x0, RuleSet::default()).expect("freezes")
}

/// Step and offset along both axes, which are alike here.
fn place(f: &FrozenNetwork) -> ([i64; 2], f64) {
    let [down, right] = Pictures::of(f).expect("pictures").placed().expect("placed");
    assert_eq!((down.step, down.offset), (right.step, right.offset));
    (down.step, down.offset)
}

/// Shift-variance where no field meets a border, over all such places, and the steps.
fn variance(f: &FrozenNetwork) -> (f64, [usize; 2]) {
    let grid = shift::grid(f, 1, 1).expect("a step");
    let found = shift::variance(f, &grid, 1, unobserved).expect("compares");
    assert!(!found.with_border, "no row is clear of the border");
    (found.whole, [found.steps[0][0], found.steps[1][0]])
}

/// A pure convolution of any kind is none but itself: 0 to rounding; nothing is where it is not.
#[track_caller]
fn is_a_convolution(f: &FrozenNetwork, step: [i64; 2], offset: f64, compared: [usize; 2]) {
    let (found, at) = place(f);
    assert_eq!(found, step);
    assert!((at - offset).abs() < 1e-12, "{at} and not {offset}");
    let (variance, steps) = variance(f);
    assert!(variance < 1e-20, "{variance}");
    assert_eq!(steps, compared);
}

#[test]
fn convolutions_without_padding() {
    // 23×21 to 19×17: sizes without a common divisor.
    let layers = Layers::none().conv([2, 4], 3, 1, 0).conv([4, 1], 3, 1, 0);
    let f = freeze(layers, [1, 2, 23, 21], |l, x| {
        l.convs[1].forward(l.convs[0].forward(x))
    });
    is_a_convolution(&f, [1, 1], 2.0, [1, 1]);
    let [down, _] = Pictures::of(&f).unwrap().placed().unwrap();
    assert_eq!((down.inside, down.reach), ([0, 19], Some(2.0)));
    // Even kernels lie between pixels.
    let layers = Layers::none().conv([1, 1], 2, 1, 0);
    let f = freeze(layers, [1, 1, 9, 8], |l, x| l.convs[0].forward(x));
    is_a_convolution(&f, [1, 1], 0.5, [1, 1]);
}

/// Two of them are no convolution at the border, since paths that leave the picture between them are missing; they are
/// one inside.
#[test]
fn padded_convolutions_are_compared_inside() {
    let layers = Layers::none().conv([1, 6], 3, 1, 1).conv([6, 2], 5, 1, 2);
    let f = freeze(layers, [1, 1, 16, 13], |l, x| {
        l.convs[1].forward(l.convs[0].forward(x))
    });
    is_a_convolution(&f, [1, 1], 0.0, [1, 1]);
    let [down, right] = Pictures::of(&f).unwrap().placed().unwrap();
    assert_eq!((down.inside, right.inside), ([3, 13], [3, 10]));
    // Of places at the border alone there is the border's effect, and it says so.
    let corner = Grid {
        y: vec![0],
        x: vec![0],
    };
    let found = shift::variance(&f, &corner, 1, unobserved).unwrap();
    assert!(found.with_border && found.whole > 1e-3, "{}", found.whole);
    // Of all places those inside are compared.
    let all = shift::variance(&f, &Grid::every(1, [16, 13]), 1, unobserved).unwrap();
    assert!(all.whole < 1e-20 && all.values[0].is_nan() && all.values[5 * 13 + 5] < 1e-20);
}

#[test]
fn strided_convolutions() {
    let layers = Layers::none().conv([1, 3], 3, 2, 1).conv([3, 2], 3, 2, 0);
    let f = freeze(layers, [1, 1, 37, 31], |l, x| {
        l.convs[1].forward(l.convs[0].forward(x))
    });
    // Pixel p of the first lies on 2p, of the second on p·2 + 1 of that.
    is_a_convolution(&f, [4, 1], 2.0, [4, 1]);
}

#[test]
fn transposed_convolutions() {
    for (kernel, padding, offset) in [(2, 0, -0.25), (4, 1, -0.25), (3, 1, 0.0)] {
        let layers = Layers::none().up([1, 2], kernel, 2, padding);
        let f = freeze(layers, [1, 1, 9, 7], |l, x| l.transposed[0].forward(x));
        is_a_convolution(&f, [1, 2], offset, [1, 2]);
    }
    // Down and up again: as large as the input, and a convolution two pixels apart only.
    let layers = Layers::none().conv([1, 3], 3, 2, 1).up([3, 1], 4, 2, 1);
    let f = freeze(layers, [1, 1, 24, 24], |l, x| {
        l.transposed[0].forward(l.convs[0].forward(x))
    });
    let [down, _] = Pictures::of(&f).unwrap().placed().unwrap();
    assert_eq!((down.step, down.period), ([1, 1], 2));
    is_a_convolution(&f, [1, 1], -0.5, [2, 2]);
}

/// A pixel shuffle: all sub-pixels use the same pixels, and lie around them side by side, whatever comes then.
#[test]
fn pixel_shuffles() {
    let shuffled = |x: Tensor<4>, r: usize| {
        let [n, c, h, w] = x.dims();
        x.reshape([n, c / (r * r), r, r, h, w])
            .permute([0, 1, 4, 2, 5, 3])
            .reshape([n, c / (r * r), h * r, w * r])
    };
    let layers = Layers::none().conv([1, 9], 3, 1, 1);
    let f = freeze(layers, [1, 1, 7, 8], move |l, x| {
        shuffled(l.convs[0].forward(x), 3)
    });
    is_a_convolution(&f, [1, 3], -1.0 / 3.0, [1, 3]);
    let layers = Layers::none().conv([1, 8], 3, 1, 0).conv([2, 1], 3, 1, 1);
    let f = freeze(layers, [1, 1, 11, 10], move |l, x| {
        l.convs[1].forward(shuffled(l.convs[0].forward(x), 2))
    });
    is_a_convolution(&f, [1, 2], 0.75, [1, 2]);
    // The other way: channels that hold the sub-pixels.
    let layers = Layers::none().conv([4, 2], 1, 1, 0);
    let f = freeze(layers, [1, 1, 12, 10], |l, x| {
        let x = x
            .reshape([1, 1, 6, 2, 5, 2])
            .permute([0, 1, 3, 5, 2, 4])
            .reshape([1, 4, 6, 5]);
        l.convs[0].forward(x)
    });
    is_a_convolution(&f, [2, 1], 0.5, [2, 1]);
}

#[test]
fn crops_pads_and_flips() {
    let layers = Layers::none().conv([1, 1], 3, 1, 1);
    let f = freeze(layers, [1, 1, 20, 19], |l, x| {
        l.convs[0].forward(x).slice([0..1, 0..1, 3..17, 3..18])
    });
    is_a_convolution(&f, [1, 1], 3.0, [1, 1]);
    // Every second one.
    let layers = Layers::none().conv([1, 1], 3, 1, 0);
    let f = freeze(layers, [1, 1, 17, 15], |l, x| {
        l.convs[0].forward(x.pad((2, 2, 2, 2), PadMode::Reflect))
    });
    is_a_convolution(&f, [1, 1], -1.0, [1, 1]);
    let layers = Layers::none().conv([1, 1], 3, 1, 1);
    let f = freeze(layers, [1, 1, 9, 9], |l, x| {
        l.convs[0].forward(x).flip([2, 3])
    });
    assert_eq!(place(&f), ([-1, 1], 8.0));
    let error = shift::grid(&f, 1, 1).unwrap_err();
    assert!(matches!(error, Error::NoPlace { .. }), "{error}");
    assert!(error.to_string().contains("mirrored"), "{error}");
}

/// Pools, a skip past them, and units that decide: place is a matter of the ops, not of the decisions.
#[test]
fn pools_and_skips() {
    let mut layers = Layers::none()
        .conv([1, 2], 3, 1, 1)
        .conv([2, 2], 3, 1, 1)
        .up([2, 2], 2, 2, 0);
    layers
        .max
        .push(MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init());
    layers
        .mean
        .push(AvgPool2dConfig::new([3, 3]).with_strides([1, 1]).init());
    let f = freeze(layers, [1, 1, 20, 22], |l, x| {
        let x = relu(l.convs[0].forward(x));
        let down = relu(l.convs[1].forward(l.max[0].forward(x.clone())));
        l.mean[0].forward(l.transposed[0].forward(down) + x)
    });
    // The window of the pool is half a pixel off, the transposed one takes that back; the mean crops one.
    let (step, offset) = place(&f);
    assert_eq!((step, offset), ([1, 1], 1.0));
    let [down, _] = Pictures::of(&f).unwrap().placed().unwrap();
    assert_eq!(down.period, 2);
}

/// Channels side by side, sub-pixels among them, and a picture put together from its halves.
#[test]
fn concatenations() {
    let layers = Layers::none().conv([1, 2], 3, 2, 1).conv([6, 1], 3, 1, 0);
    let f = freeze(layers, [1, 1, 24, 20], |l, x| {
        let apart = x
            .clone()
            .reshape([1, 1, 12, 2, 10, 2])
            .permute([0, 1, 3, 5, 2, 4])
            .reshape([1, 4, 12, 10]);
        let beside = Tensor::cat(vec![l.convs[0].forward(x), apart], 1);
        l.convs[1].forward(beside)
    });
    // The one reads 2p − 1 to 2p + 1, the other 2p and 2p + 1; then 3×3 without padding.
    is_a_convolution(&f, [2, 1], 2.0, [2, 1]);
    let layers = Layers::none().conv([1, 1], 3, 1, 0);
    let f = freeze(layers, [1, 1, 15, 12], |l, x| {
        let (above, below) = (
            x.clone().slice([0..1, 0..1, 0..6, 0..12]),
            x.slice([0..1, 0..1, 6..15, 0..12]),
        );
        l.convs[0].forward(Tensor::cat(vec![above, below], 2))
    });
    is_a_convolution(&f, [1, 1], 1.0, [1, 1]);
    let layers = Layers::none().conv([1, 1], 3, 1, 1);
    let f = freeze(layers, [1, 1, 10, 10], |l, x| {
        let y = l.convs[0].forward(x);
        let half = |rows: std::ops::Range<usize>| y.clone().slice([0..1, 0..1, rows, 0..10]);
        Tensor::cat(vec![half(5..10), half(0..5)], 2)
    });
    let reason = Pictures::of(&f).unwrap().no_place.expect("a reason");
    assert!(reason.contains("do not continue each other"), "{reason}");
}

/// A mean over all places has none of its own: what it is taken from has.
#[test]
fn norms_do_not_hide_places() {
    let layers = Layers::none().conv([1, 2], 3, 2, 0);
    let f = freeze(layers, [1, 1, 21, 19], |l, x| {
        let x = l.convs[0].forward(x);
        x.clone() - x.mean_dim(2).mean_dim(3)
    });
    assert_eq!(place(&f), ([2, 1], 1.0));
}

/// Nothing is said where nothing is known, and what does not need it is there.
#[test]
fn what_has_no_place_says_why() {
    let mut layers = Layers::none();
    layers
        .dense
        .push(LinearConfig::new(36, 36).init(&Device::flex()));
    let f = freeze(layers, [1, 1, 6, 6], |l, x| {
        l.dense[0]
            .forward(x.flatten::<2>(1, 3))
            .reshape([1, 1, 6, 6])
    });
    let pictures = Pictures::of(&f).unwrap();
    let reason = pictures.no_place.as_deref().expect("a reason");
    assert!(reason.contains("reads every place at once"), "{reason}");
    assert_eq!(pictures.corresponding(Field::Row, [1, 1]), None);
    let grid = Grid::every(2, [6, 6]);
    let error = row_maps(&f, &grid, 2.0, unobserved).unwrap_err();
    assert!(error.to_string().contains(reason), "{error}");
    let columns = column_maps(&f, &grid, 2.0, 3, unobserved).unwrap();
    assert!(columns.radii.iter().flatten().all(|radius| radius.is_nan()));
    assert!(columns.area.iter().all(|area| *area > 1.0) && columns.wide == 9);
    assert_eq!(columns.templates[0].corresponding, None);

    // Two strides in one sum.
    let layers = Layers::none().conv([1, 1], 3, 1, 1).conv([1, 1], 1, 2, 0);
    let f = freeze(layers, [1, 1, 8, 8], |l, x| {
        let whole = l.convs[0]
            .forward(x.clone())
            .slice([0..1, 0..1, 0..4, 0..4]);
        whole + l.convs[1].forward(x)
    });
    let reason = Pictures::of(&f).unwrap().no_place.expect("a reason");
    assert!(reason.contains("do not align"), "{reason}");

    // Down and right exchanged.
    let layers = Layers::none().conv([1, 1], 3, 1, 1);
    let f = freeze(layers, [1, 1, 8, 8], |l, x| {
        l.convs[0].forward(x).swap_dims(2, 3)
    });
    let reason = Pictures::of(&f).unwrap().no_place.expect("a reason");
    assert!(reason.contains("different axes of the input"), "{reason}");
}

/// A step that the picture does not hold is an error of its own, with both numbers.
#[test]
fn a_step_too_long_for_the_picture_is_told() {
    let layers = Layers::none().conv([1, 1], 3, 5, 1).up([1, 1], 3, 3, 0);
    let f = freeze(layers, [1, 1, 8, 8], |l, x| {
        l.transposed[0].forward(l.convs[0].forward(x))
    });
    let error = shift::grid(&f, 1, 3).unwrap_err();
    assert!(matches!(error, Error::NoStep { .. }), "{error}");
    assert!(row_maps(&f, &Grid::every(1, [6, 6]), 1.0, unobserved).is_ok());
}

/// Whoever stands before an operator passes on what it knows; one dimension is none of a picture.
#[test]
fn geometry_passes_through_and_signals_are_no_pictures() {
    let layers = Layers::none().conv([1, 1], 3, 1, 0);
    let f = freeze(layers, [1, 1, 9, 8], |l, x| l.convs[0].forward(x));
    let own = f.geometry().unwrap().expect("known");
    assert_eq!(ByProducts(&f).geometry().unwrap(), Some(own));
    let mut layers = Layers::none();
    layers.lines.push(
        Conv1dConfig::new(4, 4, 3)
            .with_stride(2)
            .init(&Device::flex()),
    );
    let f = freeze(layers, [1, 4, 31], |l, x| l.lines[0].forward(x));
    let along = f.geometry().unwrap().expect("known")[2]
        .clone()
        .expect("placed");
    assert_eq!(
        (along.step.value(), along.offset(), along.inside),
        (2.0, 1.0, [0, 15])
    );
    assert!(matches!(Pictures::of(&f), Err(Error::NotPictures { .. })));
}
