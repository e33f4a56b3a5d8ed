//! The residual's share of the best score, over sets of pictures.

use std::path::Path;

use linearscope_analysis::{
    FrozenNetwork,
    contribution::{self, ContributionStatistics, aggregate, contributions},
};
use serde_json::{Map, Value, json};

use super::{Any, Classifier, Recipe, held_out, percent_of, photograph, photographs};

fn over_all(
    classifier: &Classifier,
    pictures: impl IntoIterator<Item = Any<Vec<f32>>>,
) -> Any<ContributionStatistics> {
    let mut set = Vec::new();
    for picture in pictures {
        let f: FrozenNetwork = classifier.freeze(picture?)?;
        set.push(contributions(&f, contribution::top1(&f)?)?);
    }
    Ok(aggregate(&set)?)
}

/// Pictures of CIFAR-10 in a file of one a row, red, green and blue planes after each other.
fn cifar(data: &Path, count: usize) -> Any<Vec<Vec<f32>>> {
    let rows = image::open(data.join("images/cifar10_batch_0.png"))?.to_rgb8();
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let plane = 32 * 32;
    if rows.width() as usize != plane {
        return Err(format!("rows of {} pixels are no pictures of 32×32", rows.width()).into());
    }
    Ok((0..count.min(rows.height() as usize))
        .map(|row| {
            (0..3 * plane)
                .map(|i| {
                    let (c, at) = (i / plane, i % plane);
                    let level = f64::from(rows.get_pixel(at as u32, row as u32).0[c]) / 255.0;
                    ((level - mean[c]) / std[c]) as f32
                })
                .collect()
        })
        .collect())
}

/// Print the table's rows and give all of it.
pub fn measure(data: Option<&Path>) -> Any<Value> {
    let mut all = Map::new();
    println!("| network | pictures | residual share | largest gap | layers that add most |");
    println!("| --- | --- | --- | --- | --- |");
    let mut tell = |name: &str, over: ContributionStatistics| {
        let mut order: Vec<_> = over.layers.iter().skip(1).collect();
        order.sort_by(|a, b| b.share.mean.total_cmp(&a.share.mean));
        let most: Vec<String> = order
            .iter()
            .take(3)
            .map(|layer| format!("{} {}", layer.name, percent_of(layer.share)))
            .collect();
        println!(
            "| {name} | {} | {} | {:.0e} | {} |",
            over.pictures,
            percent_of(over.residual_share),
            over.gap,
            most.join(", ")
        );
        all.insert(name.into(), json!(over));
    };
    for name in ["vgg", "vgg_bn"] {
        let scenes = held_out(256).into_iter().map(|(_, x)| Ok(x));
        tell(name, over_all(&Classifier::bundled(name)?, scenes)?);
    }
    if let Some(data) = data {
        for (name, recipe) in [
            ("squeezenet1.1", Recipe::ImageNet),
            ("tiny_darknet", Recipe::Plain),
        ] {
            let path = data.join(format!("models/{name}.onnx"));
            let classifier = Classifier::load(&path, &[1, 3, 224, 224])?;
            let pictures = photographs(data)?;
            let pictures = pictures.iter().map(|(path, _)| photograph(path, &recipe));
            tell(name, over_all(&classifier, pictures)?);
        }
        for name in ["resnet20_cifar10", "resnet56_cifar10"] {
            let path = data.join(format!("models/{name}.onnx"));
            let classifier = Classifier::load(&path, &[1, 3, 32, 32])?;
            let pictures = cifar(data, 200)?.into_iter().map(Ok);
            tell(name, over_all(&classifier, pictures)?);
        }
    }
    Ok(Value::Object(all))
}
