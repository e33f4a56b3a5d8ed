//! Masks: which pixels of a picture are its object's.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use linearscope_analysis::LinearOperator;
use linearscope_preprocess::{Background, Picture, Profiles, ReadOptions, pictures_in};
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::{
    console,
    error::{Failure, Result},
    limits::refused,
    opened::name_of,
    results::{sha256, sha256_of},
    session::Session,
};

/// The mask of a picture, or a folder with a mask `NAME.png` for each picture `NAME.*`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Masks(PathBuf);

impl From<OsString> for Masks {
    fn from(path: OsString) -> Self {
        Self(path.into())
    }
}

impl Serialize for Masks {
    /// The path, and what lies there: other masks are another question.
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let path = self.0.display().to_string();
        json!({ "path": path, "sha256": self.hash() }).serialize(serializer)
    }
}

impl Masks {
    /// Of the mask, or of all that the folder has; none of what cannot be read.
    fn hash(&self) -> Option<String> {
        if !self.0.is_dir() {
            return sha256_of(&self.0).ok();
        }
        let masks = pictures_in(&self.0).ok()?.files;
        let lines: Option<Vec<String>> = masks
            .iter()
            .map(|mask| Some(format!("{} {}\n", name_of(mask), sha256_of(mask).ok()?)))
            .collect();
        Some(sha256(lines?.concat().as_bytes()))
    }

    /// Where the mask of a picture is.
    fn place(&self, picture: &Path) -> PathBuf {
        if !self.0.is_dir() {
            return self.0.clone();
        }
        let mut name = picture.file_stem().unwrap_or_default().to_os_string();
        name.push(".png");
        self.0.join(name)
    }

    /// The mask of a picture, where there is one.
    fn of(&self, picture: &Path) -> Option<PathBuf> {
        Some(self.place(picture)).filter(|place| place.is_file())
    }

    /// Whether any of the pictures can have a mask here.
    ///
    /// # Errors
    /// Nothing there; one mask for a folder of pictures; a folder without a mask of theirs.
    pub(crate) fn check(&self, input: &Path) -> Result<()> {
        let path = self.0.display();
        if self.0.is_file() {
            return match input.is_dir() {
                false => Ok(()),
                true => Err(Failure::input(format!(
                    "--masks {path} is a single mask, but --input {} is a folder of pictures",
                    input.display()
                ))
                .hint("give a folder with one mask NAME.png for each picture")),
            };
        }
        if !self.0.is_dir() {
            return Err(Failure::input(format!(
                "--masks {path}: no such file or folder"
            )));
        }
        let pictures = match input.is_dir() {
            true => pictures_in(input)?.files,
            false if input.exists() => vec![input.to_path_buf()],
            // What is wrong then is the input.
            false => Vec::new(),
        };
        match pictures.first() {
            Some(first) if !pictures.iter().any(|picture| self.of(picture).is_some()) => {
                Err(Failure::input(format!(
                    "--masks {path}: contains no mask for {}",
                    input.display()
                ))
                .hint(format!(
                    "the mask for {} should be {}",
                    name_of(first),
                    self.place(first).display()
                )))
            }
            _ => Ok(()),
        }
    }

    /// Whether each pixel of the network's input is the object's: the mask, resized and cropped as the picture was,
    /// where at least half of a pixel is. None without a mask, and where the object was cropped away; both are said.
    ///
    /// # Errors
    /// An input without pixels; a mask that cannot be read, marks nothing, or is not of the picture's size.
    pub(crate) fn object(&self, session: &Session, picture: &Path) -> Result<Option<Vec<bool>>> {
        let Some(path) = self.of(picture) else {
            console::notice(&format!(
                "{} has no mask: {} does not exist",
                picture.display(),
                self.place(picture).display()
            ));
            return Ok(None);
        };
        let &[1, _, h, w] = session.frozen.input_shape() else {
            return Err(Failure::input(format!(
                "--masks: the input has shape {:?}, which is not a picture",
                session.frozen.input_shape()
            )));
        };
        let options = ReadOptions::default()
            .with_background(Background::BLACK)
            .with_profiles(Profiles::Ignore)
            .with_limits(session.limits);
        let mask = Picture::open(&path, &options).map_err(refused)?;
        for notice in &mask.notices {
            console::notice(&format!("{}: {notice}", path.display()));
        }
        let mut marked = mask.image.to_rgba8();
        let mut any = false;
        for pixel in marked.pixels_mut() {
            let [r, g, b, _] = pixel.0;
            let object = r.max(g).max(b) > 127;
            any |= object;
            let level = if object { 255 } else { 0 };
            pixel.0 = [level, level, level, 255];
        }
        if !any {
            return Err(Failure::input(format!(
                "{}: marks no object, since no pixel is above 127 of 255",
                path.display()
            )));
        }
        let size = [marked.height() as usize, marked.width() as usize];
        let fits = |[own_h, own_w]: [usize; 2]| match size == [own_h, own_w] {
            true => Ok(()),
            false => Err(Failure::input(format!(
                "{} is {}×{}, but {} is {own_h}×{own_w}",
                path.display(),
                size[0],
                size[1],
                picture.display(),
            ))
            .hint("a mask must be of the same size as its picture")),
        };
        let recipe = session.painter.recipe.as_ref();
        let object: Vec<bool> = match recipe.filter(|_| !session.from_array) {
            None => {
                fits([h, w])?;
                marked.pixels().map(|pixel| pixel.0[0] > 0).collect()
            }
            Some(recipe) => {
                let preprocess = &recipe.preprocess;
                let options = preprocess.read_options().with_limits(session.limits);
                let seen = Picture::open(picture, &options).map_err(refused)?.image;
                fits([seen.height() as usize, seen.width() as usize])?;
                let made = preprocess.apply(&marked.into());
                let made = made.map_err(|error| Failure::from(error).at(&path))?;
                let levels = preprocess.undone(&made.values).into_iter().take(h * w);
                levels
                    .map(|level| level >= 0.5 * preprocess.range())
                    .collect()
            }
        };
        if !object.contains(&true) {
            console::notice(&format!(
                "{}: the object lies outside the part of {} that the network sees",
                path.display(),
                picture.display()
            ));
            return Ok(None);
        }
        Ok(Some(object))
    }
}

#[cfg(test)]
mod tests {
    use super::Masks;
    use std::{fs, path::Path};

    #[test]
    fn masks_are_found_by_the_name_of_their_picture() {
        let folder = tempfile::tempdir().expect("a folder");
        let masks = Masks(folder.path().into());
        fs::write(folder.path().join("a.b.png"), b"any").expect("written");
        let found = masks.of(Path::new("in/a.b.jpg")).expect("its mask");
        assert_eq!(found, folder.path().join("a.b.png"));
        assert!(masks.of(Path::new("in/a.jpg")).is_none());
        let one = Masks(found.clone());
        assert_eq!(one.of(Path::new("in/c.jpg")), Some(found));
        assert!(one.check(folder.path()).is_err());
        assert!(
            Masks(folder.path().join("nowhere"))
                .check(folder.path())
                .is_err()
        );
        // Other masks are another question.
        let before = masks.hash().expect("read");
        fs::write(folder.path().join("a.b.png"), b"other").expect("written");
        assert_ne!(masks.hash().expect("read"), before);
    }
}
