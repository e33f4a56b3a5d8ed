//! If and Loop, whose condition and trip count are constants while a graph is captured: they fold
//! away.

use std::collections::HashMap;

use burn_backend::{Backend, TensorData};

use crate::{
    context::{Context, Outputs},
    error::COMPUTED,
    value::Value,
};

pub(super) fn if_<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let condition = cx.ints(0, "a condition")?;
    let branch = match condition.first() {
        Some(0) => "else_branch",
        Some(_) => "then_branch",
        None => return Err(cx.unsupported("an empty condition")),
    };
    cx.run_body(cx.body(branch)?, HashMap::new())
}

pub(super) fn loop_<B: Backend>(cx: &Context<'_, B>) -> Outputs<B> {
    let trips = match cx.has(0) {
        true => cx.ints(0, "a trip count")?.first().copied().unwrap_or(0),
        false => i64::MAX,
    };
    let mut goes_on = match cx.has(1) {
        true => cx.ints(1, "a condition")?.first().is_none_or(|&c| c != 0),
        false => true,
    };
    let body = cx.body("body")?;
    let mut carried = (2..cx.node.inputs.len())
        .map(|index| cx.raw(index))
        .collect::<Result<Vec<_>, _>>()?;
    let count = carried.len();
    let wrong = || cx.unsupported("a body whose inputs and outputs differ from the loop's");
    if body.inputs.len() != count + 2 || body.outputs.len() < count + 1 {
        return Err(wrong());
    }
    let mut scans: Vec<Vec<Value<B>>> = vec![Vec::new(); body.outputs.len() - 1 - count];
    let scalar = |value: i64| Value::Constant(TensorData::new(vec![value], [0usize; 0]));
    let mut trip = 0;
    while goes_on && trip < trips {
        let condition = Value::Constant(TensorData::new(vec![true], [0usize; 0]));
        let given = [scalar(trip), condition].into_iter().chain(carried);
        let names = body.inputs.iter().map(|input| input.name.clone());
        let results = cx.run_body(body, names.zip(given).collect())?;
        let mut results = results.into_iter();
        let condition = results.next().ok_or_else(wrong)?;
        if cx.env.capturing && !matches!(condition, Value::Constant(_)) {
            return Err(cx.unsupported(format!("a condition {COMPUTED}")));
        }
        let condition = cx.read(condition)?;
        goes_on = condition.iter::<i64>().next().is_none_or(|c| c != 0);
        carried = results.by_ref().take(count).collect();
        for (scan, value) in scans.iter_mut().zip(results) {
            scan.push(value);
        }
        trip += 1;
    }
    let mut outputs = carried;
    for scan in scans {
        // One entry a pass, along a new first axis.
        let rows: Vec<Value<B>> = scan
            .into_iter()
            .map(|value| {
                let dims = [&[1], &value.shape()[..]].concat();
                value
                    .upload(&cx.env.device, cx.env.capturing)
                    .reshape(&dims)
            })
            .collect();
        let all = Value::cat(rows, 0);
        outputs.push(all.ok_or_else(|| cx.unsupported("no pass at all"))?);
    }
    Ok(outputs)
}
