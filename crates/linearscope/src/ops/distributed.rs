//! `DistributedOps`: collective operations are the inner backend's; a traced tensor takes no part.

use burn_backend::{
    Backend, DeviceId,
    distributed::{CollectiveTensor, DistributedOps, ReduceOperation},
    tensor::{Device, FloatTensor},
};

use super::classes::{Lower, Raise};
use crate::{LinearScope, run::open::Opened};

// inherited: start_communication_server, close_communication_server, register_sync_parameters,
// submit_sync_collective, submit_gradient_sync (Burn's own server, generic over the backend),
// comm_device and float_from_ref (a dereference and a clone).
impl<B: Backend> DistributedOps<Self> for LinearScope<B> {
    fn all_reduce(
        tensor: FloatTensor<Self>,
        op: ReduceOperation,
        device_ids: Vec<DeviceId>,
    ) -> CollectiveTensor<Self> {
        let mut opened = Opened::<B>::default();
        let tensor = Lower::<B>::lower(tensor, &mut opened);
        let reduced = B::all_reduce(tensor, op, device_ids).resolve();
        CollectiveTensor::new(Raise::<B, _>::refused(reduced, &opened, "all_reduce", ""))
    }

    fn sync_collective(device: &Device<Self>) {
        B::sync_collective(device);
    }
}
