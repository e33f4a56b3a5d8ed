//! Colour profiles: what is not sRGB becomes sRGB.

use image::DynamicImage;
use moxcms::{ColorProfile, DataColorSpace, Layout, ProfileText, TransformOptions};

use super::Notice;

/// Profiles within this many levels of sRGB, of 65535, are sRGB by another hand. Pixels stay as they are.
const SAME: u16 = 2 * 257;

/// The picture in sRGB, and what there is to say of it.
pub(crate) fn to_srgb(picture: &mut DynamicImage, bytes: &[u8]) -> Option<Notice> {
    let profile = match ColorProfile::new_from_slice(bytes) {
        Ok(profile) => profile,
        Err(error) => return Some(ignored(String::new(), format!("not readable ({error})"))),
    };
    let name = name(&profile);
    let grey = match (profile.color_space, picture.color().has_color()) {
        (DataColorSpace::Rgb, true) => false,
        (DataColorSpace::Gray, false) => true,
        // Grey of an RGB space is that space's grey axis. Only its tone curve matters, nearly always sRGB's.
        (DataColorSpace::Rgb, false) => return None,
        (space, _) => return Some(ignored(name, format!("it is for {space:?}"))),
    };
    match converted(picture, &profile, grey) {
        Ok(None) => None,
        Ok(Some(made)) => {
            *picture = made;
            Some(Notice::Converted { profile: name })
        }
        Err(error) => Some(ignored(name, error.to_string())),
    }
}

pub(crate) fn ignored(profile: String, reason: String) -> Notice {
    Notice::ProfileIgnored { profile, reason }
}

/// The name that a profile gives itself.
pub(crate) fn name(profile: &ColorProfile) -> String {
    let text = match &profile.description {
        None => "",
        Some(ProfileText::PlainString(text)) => text,
        Some(ProfileText::Localizable(texts)) => texts.first().map_or("", |text| &text.value),
        Some(ProfileText::Description(text)) => &text.ascii_string,
    };
    text.trim_matches(|c: char| c == '\0' || c.is_whitespace())
        .chars()
        .take(80)
        .collect()
}

fn converted(
    picture: &DynamicImage,
    profile: &ColorProfile,
    grey: bool,
) -> Result<Option<DynamicImage>, moxcms::CmsError> {
    let (srgb, options) = (ColorProfile::new_srgb(), TransformOptions::default());
    // Grey goes to three equal channels: a grey axis needs no other profile.
    let (from, to) = match grey {
        true => (Layout::Gray, Layout::Rgb),
        false => (Layout::Rgb, Layout::Rgb),
    };
    let n = if grey { 1 } else { 3 };
    let sixteen = profile.create_transform_16bit(from, &srgb, to, options)?;
    let samples = samples(n);
    let mut seen = vec![0; samples.len() / n * 3];
    sixteen.transform(&samples, &mut seen)?;
    let pixels = samples.chunks_exact(n).zip(seen.chunks_exact(3));
    let off = pixels.flat_map(|(a, b)| (0..3).map(|c| a[c % n].abs_diff(b[c])));
    if off.max().unwrap_or(0) <= SAME {
        return Ok(None);
    }
    Ok(Some(match picture {
        DynamicImage::ImageRgb8(p) => {
            let transform = profile.create_transform_8bit(from, &srgb, to, options)?;
            let mut made = p.clone();
            transform.transform(p.as_raw(), &mut made)?;
            made.into()
        }
        DynamicImage::ImageRgba8(p) => {
            let rgba = Layout::Rgba;
            let transform = profile.create_transform_8bit(rgba, &srgb, rgba, options)?;
            let mut made = p.clone();
            transform.transform(p.as_raw(), &mut made)?;
            made.into()
        }
        DynamicImage::ImageRgb16(p) => {
            let mut made = p.clone();
            sixteen.transform(p.as_raw(), &mut made)?;
            made.into()
        }
        DynamicImage::ImageRgba16(p) => {
            let rgba = Layout::Rgba;
            let transform = profile.create_transform_16bit(rgba, &srgb, rgba, options)?;
            let mut made = p.clone();
            transform.transform(p.as_raw(), &mut made)?;
            made.into()
        }
        // Grey: one curve, looked up level by level.
        DynamicImage::ImageLuma8(p) => {
            let curve = curve(&*sixteen, 255)?;
            let mut made = p.clone();
            for image::Luma([v]) in made.pixels_mut() {
                *v = narrowed(curve[usize::from(*v)]);
            }
            made.into()
        }
        DynamicImage::ImageLumaA8(p) => {
            let curve = curve(&*sixteen, 255)?;
            let mut made = p.clone();
            for image::LumaA([v, _]) in made.pixels_mut() {
                *v = narrowed(curve[usize::from(*v)]);
            }
            made.into()
        }
        DynamicImage::ImageLuma16(p) => {
            let curve = curve(&*sixteen, 65535)?;
            let mut made = p.clone();
            for image::Luma([v]) in made.pixels_mut() {
                *v = curve[usize::from(*v)];
            }
            made.into()
        }
        DynamicImage::ImageLumaA16(p) => {
            let curve = curve(&*sixteen, 65535)?;
            let mut made = p.clone();
            for image::LumaA([v, _]) in made.pixels_mut() {
                *v = curve[usize::from(*v)];
            }
            made.into()
        }
        // Floats are linear light or whatever their maker meant.
        _ => return Ok(None),
    }))
}

/// A grid of colours, or of greys.
fn samples(n: usize) -> Vec<u16> {
    let level = |i: usize| (i * 65535 / 8) as u16;
    match n {
        1 => (0..=8).map(level).collect(),
        _ => (0..9 * 9 * 9)
            .flat_map(|i| [level(i / 81), level(i / 9 % 9), level(i % 9)])
            .collect(),
    }
}

/// sRGB's level, of 65535, of each grey from black to `white`.
fn curve(
    transform: &(dyn moxcms::TransformExecutor<u16> + Send + Sync),
    white: u32,
) -> Result<Vec<u16>, moxcms::CmsError> {
    let greys: Vec<u16> = (0..=white).map(|v| (v * (65535 / white)) as u16).collect();
    let mut seen = vec![0; 3 * greys.len()];
    transform.transform(&greys, &mut seen)?;
    Ok(seen.into_iter().step_by(3).collect())
}

fn narrowed(level: u16) -> u8 {
    ((u32::from(level) + 128) / 257) as u8
}
