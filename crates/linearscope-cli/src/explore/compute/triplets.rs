//! Singular triplets, and what the first of them let through.

use linearscope_analysis::{
    LinearOperator,
    operator::Field,
    svd::{SvdConfig, SvdError, svd},
    vectors::numbers,
};
use serde_json::json;

use super::{
    Answer, Question, Refusal,
    jobs::{self, Kept, Result as Job, Triplets},
};
use crate::{
    error::Failure,
    explore::asked::{Asked, Of},
};

impl Question<'_> {
    /// The k largest triplets, by the settings of `linearscope svd`.
    pub(super) fn svd(self, asked: &Asked, k: usize, kept: &Kept) -> Result<Answer, Refusal> {
        let frozen = &self.subject.frozen;
        let rank = frozen.input_len().min(frozen.output_len());
        if k > rank {
            return Err(Refusal::bad(format!("k={k}: F has {rank} singular values")));
        }
        let fit = jobs::fitting(frozen.input_len() + frozen.output_len());
        if k > fit {
            return Err(Refusal::bad(format!(
                "k={k}: with vectors of {} and {} entries, at most {fit} triplets are kept",
                frozen.input_len(),
                frozen.output_len()
            ))
            .hint("use linearscope svd, which has no such limit"));
        }
        // As the command where it is given --max-memory: half for the bases, half for decisions and probes.
        let memory = frozen.frozen().budget() / 2;
        let config = SvdConfig::new(k).with_max_memory(Some(memory));
        let (found, unconverged) = match svd(frozen, &config, self.observer) {
            Ok(found) => (found, None),
            Err(error) if error.is_stopped() => {
                return Err(
                    Failure::interrupted("computing the singular values was stopped").into(),
                );
            }
            Err(error) => {
                let why = error.to_string();
                match error {
                    SvdError::Unconverged { partial, .. } | SvdError::Unconfirmed { partial } => {
                        (*partial, Some(why))
                    }
                    SvdError::Failed(error) => return Err(error.into()),
                }
            }
        };
        let (u, v) = (numbers(found.u.clone())?, numbers(found.v.clone())?);
        let x0 = &self.point.x0;
        let dot = |v: &[f64]| v.iter().zip(x0).map(|(v, x)| v * x).sum();
        let triplets = Triplets {
            of_x0: v.chunks(x0.len()).map(dot).collect(),
            u,
            v,
            svd: found,
            unconverged,
        };
        let said = described(&triplets);
        kept.put(asked, Job::Triplets(triplets.into()));
        Ok(said)
    }

    /// One side of one triplet.
    pub(super) fn vector(
        &self,
        (of, k): (&Of, usize),
        side: Field,
        i: usize,
        kept: &Kept,
    ) -> Result<Answer, Refusal> {
        let frozen = &self.subject.frozen;
        let triplets = kept.triplets(of, k)?;
        let (all, shape) = match side {
            Field::Column => (&triplets.u, frozen.output_shape()),
            Field::Row => (&triplets.v, frozen.input_shape()),
        };
        let each = shape.iter().product();
        let vector = all.chunks(each).nth(i).ok_or_else(|| {
            Refusal::bad(format!(
                "i={i}: only {} were found",
                triplets.svd.sigma.len()
            ))
        })?;
        let mut answer = Answer::array(vector, shape, self.subject.precision)?;
        answer.say("linearscope-sigma", triplets.svd.sigma[i]);
        Ok(answer)
    }

    /// Σ σ ⟨v, x₀⟩ u over the first pairs: what of F x₀ passes through them.
    pub(super) fn sum(
        &self,
        (of, k): (&Of, usize),
        pairs: usize,
        kept: &Kept,
    ) -> Result<Answer, Refusal> {
        let shape = self.subject.frozen.output_shape();
        let triplets = kept.triplets(of, k)?;
        let mut sum = vec![0.0; self.point.y0.len()];
        let factors = triplets.svd.sigma.iter().zip(&triplets.of_x0);
        let pairs = factors.zip(triplets.u.chunks(sum.len())).take(pairs);
        for ((sigma, of_x0), u) in pairs {
            for (sum, u) in sum.iter_mut().zip(u) {
                *sum += sigma * of_x0 * u;
            }
        }
        Answer::array(&sum, shape, self.subject.precision)
    }
}

fn described(triplets: &Triplets) -> Answer {
    let svd = &triplets.svd;
    let residuals: Vec<f64> = svd
        .residuals
        .iter()
        .map(|residual| residual.worst())
        .collect();
    Answer::json(&json!({
        "sigma": svd.sigma,
        "residuals": residuals,
        "of_x0": triplets.of_x0,
        "products": svd.products,
        "converged": triplets.unconverged.is_none(),
        "why": triplets.unconverged,
    }))
}
