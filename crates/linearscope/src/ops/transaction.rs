//! `TransactionOps`: several reads at once, by the inner backend.

use burn_backend::{
    Backend, ExecutionError,
    ops::{TransactionOps, TransactionPrimitive, TransactionPrimitiveData},
};

use crate::{
    LinearScope,
    error::Error,
    run::{Lineage, ScopeTensor, Tracked},
};

impl<B: Backend> TransactionOps<Self> for LinearScope<B> {
    async fn tr_execute(
        transaction: TransactionPrimitive<Self>,
    ) -> Result<TransactionPrimitiveData, ExecutionError> {
        for tensor in &transaction.read_floats {
            if let Lineage::Traced(tracer) = tensor.lineage() {
                let run = tracer.run();
                run.fail(Error::DataRead {
                    place: run.place("tr_execute"),
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
