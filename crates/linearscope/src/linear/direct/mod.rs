//! Convolutions, products of matrices and interpolations on the host, by kernels of our own.
//!
//! A replay is convolutions and little else, and Flex lays each out as a product of matrices,
//! channels last, and back. Nothing of that is needed where weights are frozen: they are packed once,
//! and the picture is read where it lies. Two to three times as fast on the networks of
//! `docs/book/src/performance.md`, in either precision, both ways, any stride and dilation. Replays always use it; the reference where
//! a network is loaded with [`Kernels::Own`](crate::Kernels::Own). Max pools of the reference are here too (`max_pool`): they
//! sum nothing, and are the backend's bit by bit.
//!
//! Each entry is a sum in an order that its own terms decide. What a probe becomes so depends neither on its
//! batch mates nor on threads, and is the same on a window as on the whole picture.

mod geometry;
mod kernel;
mod lanes;
mod map;
mod max_pool;
mod permute;
mod product;
mod separable;

use std::sync::{Arc, OnceLock};

use burn_backend::{Backend, DType, TensorData, TensorMetadata, tensor::FloatTensor};
use geometry::{Axis, Window};
use kernel::{Block, Planes};
use lanes::Lanes;
pub(super) use map::OnHost;
pub(crate) use max_pool::{Pooling, deal, max_pool};
pub(super) use permute::permuted;
pub(super) use product::{left, right};
pub(super) use separable::{Banded, separable};

use super::batch;
use crate::{
    host::{self, Floats},
    interrupt::Interrupt,
};

/// Which way a convolution's weights are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Outputs gather inputs: a convolution, or a transposed one's adjoint.
    Gather,
    /// Inputs scatter to outputs.
    Scatter,
}

impl Way {
    /// The adjoint's.
    fn reversed(self) -> Self {
        match self {
            Way::Gather => Way::Scatter,
            Way::Scatter => Way::Gather,
        }
    }
}

/// Weights in the order the kernel reads them: for each pair of residues, each group.
#[derive(Clone, Debug)]
struct Packed<T>(Vec<Vec<Vec<Block<T>>>>);

/// A convolution, one way, for pictures of any size.
#[derive(Clone, Debug)]
pub(super) struct Direct {
    way: Way,
    form: Form,
    /// Of the weights.
    shape: [usize; 4],
    /// Packed when they are first used; clones share them.
    weights: Arc<OnceLock<Weights>>,
}

#[derive(Clone, Debug)]
enum Weights {
    F32(Packed<f32>),
    F64(Packed<f64>),
}

/// Both ways of one convolution. Clones share what is packed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(Arc<OnceLock<Option<[Direct; 2]>>>);

/// What a convolution is, apart from its weights `[a, b, kh, kw]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub groups: usize,
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
}

/// Whether tensors of a backend are this process's memory, and no tape hears of ops on them.
pub(crate) fn on_host<B: Backend>(device: &B::Device) -> bool {
    matches!(B::name(device).as_str(), "flex" | "dispatch<flex>")
}

/// Whether tensors of a backend are on a device of their own, which is waited for when they are read, and no tape hears of
/// ops on them. A sketch of a network has no device: what it stores is what the host would.
pub(crate) fn elsewhere<B: Backend>(device: &B::Device) -> bool {
    !on_host::<B>(device) && !B::ad_enabled(device) && !B::name(device).contains("sketch")
}

impl Shared {
    /// `[gather, scatter]`, where the kernel can be used.
    pub(super) fn ways<B: Backend>(
        &self,
        weight: &FloatTensor<B>,
        form: Form,
    ) -> Option<&[Direct; 2]> {
        let made = || {
            let float = matches!(weight.dtype(), DType::F32 | DType::F64);
            if !float || !on_host::<B>(&weight.device()) {
                return None;
            }
            let shape = weight.shape();
            let direct = |way| Direct {
                way,
                form,
                shape: [shape[0], shape[1], shape[2], shape[3]],
                weights: Arc::default(),
            };
            Some([direct(Way::Gather), direct(Way::Scatter)])
        };
        self.0.get_or_init(made).as_ref()
    }
}

impl<T: Lanes> Packed<T> {
    /// Weights `[groups · a, b, kh, kw]`: gathering reads b channels and makes a, scattering the
    /// reverse.
    fn new(weights: &[T], shape: [usize; 4], form: Form, way: Way) -> Self {
        let Form {
            groups,
            stride,
            dilation,
        } = form;
        let [all, b, kh, kw] = shape;
        let a = all / groups;
        // How far apart the channels are that are read and made.
        let (from, to) = match way {
            Way::Gather => ((b, kh * kw), (a, b * kh * kw)),
            Way::Scatter => ((a, b * kh * kw), (b, kh * kw)),
        };
        // The same taps as the axes have, which do not depend on sizes.
        let taps = |axis: usize, residue: usize| -> Vec<usize> {
            let all = 0..[kh, kw][axis];
            match way {
                Way::Gather => all.collect(),
                Way::Scatter => all
                    .filter(|i| dilation[axis] * i % stride[axis] == residue)
                    .collect(),
            }
        };
        let residues = match way {
            Way::Gather => [1, 1],
            Way::Scatter => stride,
        };
        let mut packed = Vec::new();
        for below in 0..residues[0] {
            for beside in 0..residues[1] {
                let (rows, columns) = (taps(0, below), taps(1, beside));
                let mut places = Vec::with_capacity(from.0 * rows.len() * columns.len());
                for c in 0..from.0 {
                    for i in &rows {
                        places.extend(columns.iter().map(|j| c * from.1 + i * kw + j));
                    }
                }
                let group =
                    |group: usize| Block::cut(&weights[group * a * b * kh * kw..], to, &places);
                packed.push((0..groups).map(group).collect());
            }
        }
        Self(packed)
    }
}

/// What a run reads and makes.
#[derive(Clone, Copy, Debug)]
struct Ends {
    pictures: usize,
    /// Of a picture that is read.
    size: [usize; 2],
    /// The padding before it.
    before: [usize; 2],
    /// Of what is made of it.
    made: [usize; 2],
}

impl Direct {
    /// Channels a group, read and made.
    fn channels(&self) -> (usize, usize) {
        let (a, b) = (self.shape[0] / self.form.groups, self.shape[1]);
        match self.way {
            Way::Gather => (b, a),
            Way::Scatter => (a, b),
        }
    }

    /// `weight`, packed, while other cores that need it wait. So nothing of it may be divided among threads: who waits for
    /// them may take up work that comes here, too.
    fn packed<B: Backend>(&self, weight: &FloatTensor<B>) -> &Weights {
        self.weights.get_or_init(|| {
            let data = host::look::<B>(weight).expect("the host's memory can be read");
            match &data {
                Floats::F32(data) => {
                    Weights::F32(Packed::new(data, self.shape, self.form, self.way))
                }
                Floats::F64(data) => {
                    Weights::F64(Packed::new(data, self.shape, self.form, self.way))
                }
            }
        })
    }

    /// `[k, n, groups · from, h, w]` to `[k, n, groups · to, h′, w′]` by the weights that it was made for;
    /// `before` is the padding of the gathering convolution before its first row and column. Numbers that mean nothing
    /// once `interrupt` is stopped.
    pub(super) fn run<B: Backend>(
        &self,
        weight: &FloatTensor<B>,
        x: FloatTensor<B>,
        before: [usize; 2],
        made: [usize; 2],
        interrupt: &Interrupt,
    ) -> FloatTensor<B> {
        let (x, k) = batch::merge::<B>(x);
        batch::split::<B>(
            self.pictures::<B>((weight, None), &x, before, made, interrupt),
            k,
        )
    }

    /// `[n, groups · from, h, w]` to `[n, groups · to, h′, w′]`, with a bias `[groups · to]` or none; otherwise as
    /// [`run`](Self::run).
    pub(super) fn pictures<B: Backend>(
        &self,
        (weight, bias): (&FloatTensor<B>, Option<&FloatTensor<B>>),
        x: &FloatTensor<B>,
        before: [usize; 2],
        made: [usize; 2],
        interrupt: &Interrupt,
    ) -> FloatTensor<B> {
        let shape = x.shape();
        let (pictures, size) = (shape[0], [shape[2], shape[3]]);
        let look = |x| host::look::<B>(x).expect("the host's memory can be read");
        let (data, bias) = (look(x), bias.map(look));
        let channels = self.form.groups * self.channels().1;
        let shape = [pictures, channels, made[0], made[1]];
        let ends = Ends {
            pictures,
            size,
            before,
            made,
        };
        let made = match (self.packed::<B>(weight), &data, &bias) {
            (Weights::F32(packed), Floats::F32(x), None) => {
                TensorData::new(self.values((packed, &[]), x, ends, interrupt), shape)
            }
            (Weights::F32(packed), Floats::F32(x), Some(Floats::F32(bias))) => {
                TensorData::new(self.values((packed, bias), x, ends, interrupt), shape)
            }
            (Weights::F64(packed), Floats::F64(x), None) => {
                TensorData::new(self.values((packed, &[]), x, ends, interrupt), shape)
            }
            (Weights::F64(packed), Floats::F64(x), Some(Floats::F64(bias))) => {
                TensorData::new(self.values((packed, bias), x, ends, interrupt), shape)
            }
            _ => unreachable!("a backend's convolution takes numbers of one kind"),
        };
        B::float_from_data(made, &x.device())
    }

    fn values<T: Lanes>(
        &self,
        (packed, bias): (&Packed<T>, &[T]),
        x: &[T],
        ends: Ends,
        interrupt: &Interrupt,
    ) -> Vec<T> {
        let Ends {
            pictures,
            size,
            before,
            made,
        } = ends;
        let axes = [0, 1].map(|axis| {
            let window = Window {
                taps: self.shape[axis + 2],
                stride: self.form.stride[axis],
                dilation: self.form.dilation[axis],
                before: before[axis],
            };
            match self.way {
                Way::Gather => Axis::gather(window, size[axis], made[axis]),
                Way::Scatter => Axis::scatter(window, size[axis], made[axis]),
            }
        });
        let (from, to) = self.channels();
        let planes = Planes {
            pictures,
            groups: self.form.groups,
            from,
            to,
        };
        kernel::run(x, planes, size, &axes, made, (&packed.0, bias), interrupt)
    }

    /// Bytes of the packed weights, packed or not yet.
    pub(super) fn bytes(&self, dtype: DType) -> usize {
        self.shape.iter().product::<usize>() * dtype.size()
    }
}
