//! `TransactionOps`: several reads at once, by the inner backend.

use burn_backend::{
    Backend, ExecutionError,
    ops::{TransactionOps, TransactionPrimitive, TransactionPrimitiveData},
};

use crate::{
    LinearScope,
    error::Error,
    tensor::{Lineage, ScopeTensor, Tracked},
};

impl<B: Backend> TransactionOps<Self> for LinearScope<B> {
    async fn tr_execute(
        transaction: TransactionPrimitive<Self>,
    ) -> Result<TransactionPrimitiveData, ExecutionError> {
        for tensor in &transaction.read_floats {
            if let Lineage::Probed(probe) = tensor.lineage() {
                let scope = probe.scope();
                scope.fail(Error::DataRead {
                    place: scope.place("tr_execute"),
                });
            }
        }
        // The orders only matter to callers that mix kinds before executing; each kind keeps its
        // own order here and in the result.
        let inner = TransactionPrimitive::<B>::new(
            transaction
                .read_floats
                .into_iter()
                .map(ScopeTensor::into_value)
                .collect(),
            transaction
                .read_qfloats
                .into_iter()
                .map(Tracked::into_value)
                .collect(),
            transaction
                .read_ints
                .into_iter()
                .map(Tracked::into_value)
                .collect(),
            transaction
                .read_bools
                .into_iter()
                .map(Tracked::into_value)
                .collect(),
        );
        B::tr_execute(inner).await
    }
}
