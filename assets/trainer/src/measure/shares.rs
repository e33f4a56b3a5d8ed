//! The residual's share of the best score, over sets of pictures.

use std::path::Path;

use image::RgbImage;
use linearscope_analysis::contribution::{
    self, ContributionStatistics, Contributions, aggregate, contributions,
};
use linearscope_preprocess::Recipe;
use serde_json::{Map, Value, json};

use super::{Any, Classifier, held_out, photographs};

/// Contributions to each picture's best score.
pub(super) fn of_each(
    classifier: &Classifier,
    pictures: impl IntoIterator<Item = Any<Vec<f32>>>,
) -> Any<Vec<Contributions>> {
    let one = |picture: Any<Vec<f32>>| {
        let f = classifier.freeze(picture?)?;
        Ok(contributions(&f, contribution::top1(&f)?)?)
    };
    pictures.into_iter().map(one).collect()
}

fn over_all(
    classifier: &Classifier,
    pictures: impl IntoIterator<Item = Any<Vec<f32>>>,
) -> Any<ContributionStatistics> {
    Ok(aggregate(&of_each(classifier, pictures)?)?)
}

/// Pictures of CIFAR-10 in a file of one a row, red, green and blue planes after each other.
fn cifar(data: &Path, count: usize) -> Any<Vec<Vec<f32>>> {
    let rows = image::open(data.join("images/cifar10_batch_0.png"))?.to_rgb8();
    let plane = 32 * 32;
    if rows.width() as usize != plane {
        return Err(format!("rows of {} pixels are no pictures of 32×32", rows.width()).into());
    }
    let imagenet = Recipe::imagenet();
    let mut normalise = Recipe::default();
    (normalise.mean, normalise.std) = (imagenet.mean, imagenet.std);
    let normalise = normalise.for_channels(3)?;
    (0..rows.height().min(count as u32))
        .map(|row| {
            let pixel = |x, y| {
                let at = |c: usize| rows.get_pixel(32 * y + x, row).0[c];
                image::Rgb([at(0), at(1), at(2)])
            };
            let picture = RgbImage::from_fn(32, 32, pixel);
            Ok(normalise.apply(&picture.into())?.to_f32())
        })
        .collect()
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
            .map(|layer| format!("{} {}", layer.name, layer.share.percent()))
            .collect();
        println!(
            "| {name} | {} | {} | {:.0e} | {} |",
            over.pictures,
            over.residual_share.percent(),
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
            ("squeezenet1.1", Recipe::imagenet()),
            (
                "tiny_darknet",
                Recipe::default().with_resize(256).with_crop(224),
            ),
        ] {
            let path = data.join(format!("models/{name}.onnx"));
            let classifier = Classifier::load(&path, &[1, 3, 224, 224])?;
            let pictures = photographs(data)?;
            let recipe = recipe.for_channels(3)?;
            let pictures = pictures
                .iter()
                .map(|(path, _)| Ok(recipe.read(path)?.to_f32()));
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
