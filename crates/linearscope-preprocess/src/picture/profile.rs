//! Colour profiles: what is not sRGB becomes sRGB.

use std::{fmt, str::FromStr};

use image::DynamicImage;
use moxcms::{CmsError, ColorProfile, DataColorSpace, Layout, ProfileText, TransformOptions};

use serde::{Deserialize, Serialize};

use super::Notice;

/// What becomes of a colour profile that is not sRGB. In TOML and in text `convert` or `ignore`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profiles {
    /// Colours are converted to sRGB: what a person sees.
    #[default]
    Convert,
    /// Numbers stay as they are stored, as in Pillow and torchvision: what most networks were trained on.
    Ignore,
}

impl fmt::Display for Profiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Profiles::Convert => "convert",
            Profiles::Ignore => "ignore",
        })
    }
}

impl FromStr for Profiles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "convert" => Ok(Profiles::Convert),
            "ignore" => Ok(Profiles::Ignore),
            _ => Err(format!("{text:?} is not convert or ignore")),
        }
    }
}

/// Profiles within this many levels of sRGB, of 65535, are sRGB by another hand. Pixels stay as they are.
const SAME: u16 = 2 * 257;

/// The picture in sRGB if that is wished, and what there is to say of it.
pub(crate) fn to_srgb(
    picture: &mut DynamicImage,
    bytes: &[u8],
    profiles: Profiles,
) -> Option<Notice> {
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
    let made = match (differs(&profile, grey), profiles) {
        (Ok(false), _) => return None,
        (Ok(true), Profiles::Ignore) => {
            let reason = "values are used as stored, as in torchvision";
            return Some(ignored(name, reason.into()));
        }
        (Ok(true), Profiles::Convert) => converted(picture, &profile, grey),
        (Err(error), _) => Err(error),
    };
    match made {
        Ok(Some(made)) => {
            *picture = made;
            Some(Notice::Converted { profile: name })
        }
        Ok(None) => Some(ignored(name, "the picture contains floats".into())),
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

/// Grey goes to three equal channels: a grey axis needs no other profile.
fn layouts(grey: bool) -> (Layout, Layout) {
    match grey {
        true => (Layout::Gray, Layout::Rgb),
        false => (Layout::Rgb, Layout::Rgb),
    }
}

/// Whether colours mean something else than in sRGB, on a grid of them.
fn differs(profile: &ColorProfile, grey: bool) -> Result<bool, CmsError> {
    let (from, to) = layouts(grey);
    let n = if grey { 1 } else { 3 };
    let (srgb, options) = (ColorProfile::new_srgb(), TransformOptions::default());
    let transform = profile.create_transform_16bit(from, &srgb, to, options)?;
    let samples = samples(n);
    let mut seen = vec![0; samples.len() / n * 3];
    transform.transform(&samples, &mut seen)?;
    let mut pixels = samples.chunks_exact(n).zip(seen.chunks_exact(3));
    Ok(pixels.any(|(a, b)| (0..3).any(|c| a[c % n].abs_diff(b[c]) > SAME)))
}

fn converted(
    picture: &DynamicImage,
    profile: &ColorProfile,
    grey: bool,
) -> Result<Option<DynamicImage>, CmsError> {
    let (srgb, options) = (ColorProfile::new_srgb(), TransformOptions::default());
    let (from, to) = layouts(grey);
    let sixteen = profile.create_transform_16bit(from, &srgb, to, options)?;
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
) -> Result<Vec<u16>, CmsError> {
    let greys: Vec<u16> = (0..=white).map(|v| (v * (65535 / white)) as u16).collect();
    let mut seen = vec![0; 3 * greys.len()];
    transform.transform(&greys, &mut seen)?;
    Ok(seen.into_iter().step_by(3).collect())
}

fn narrowed(level: u16) -> u8 {
    ((u32::from(level) + 128) / 257) as u8
}
