//! Drawings as PDF: charts as vectors, text as outlines, pictures as they are, dot by dot.
//!
//! A drawing's SVG is laid out by usvg, with the bundled font and no other; what comes of it is paths and pictures, and
//! they are written one after the other. A pixel is 0.75 points, as in browsers.

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};
use pdf_writer::{
    Content, Filter, Finish, Name, Pdf, Rect, Ref, TextStr,
    types::{LineCapStyle, LineJoinStyle},
};
use resvg::{tiny_skia::PathSegment, usvg};

/// Points a pixel.
const POINTS: f32 = 0.75;

/// The numbers of the file's objects that are always there; pictures and opacities follow.
const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const PAGE: Ref = Ref::new(3);
const CONTENT: Ref = Ref::new(4);
const INFO: Ref = Ref::new(5);
const FIRST: i32 = 6;

struct Page {
    content: Content,
    /// Width, height and deflated dots of each.
    pictures: Vec<([u32; 2], Vec<u8>)>,
    /// Those that are used, below 1.
    opacities: Vec<f32>,
}

/// A tree of SVG as one page.
///
/// # Errors
/// In words: what drawings do not hold, such as patterns.
pub(crate) fn page(tree: &usvg::Tree, title: &str) -> Result<Vec<u8>, String> {
    let [w, h] = [tree.size().width(), tree.size().height()].map(|size| size * POINTS);
    let mut page = Page {
        content: Content::new(),
        pictures: Vec::new(),
        opacities: Vec::new(),
    };
    // From pixels, downwards, to points, upwards.
    page.content.transform([POINTS, 0.0, 0.0, -POINTS, 0.0, h]);
    page.group(tree.root())?;
    Ok(page.file([w, h], title))
}

fn unknown(what: &str) -> String {
    format!("{what} cannot be drawn")
}

fn colour(paint: &usvg::Paint) -> Result<[f32; 3], String> {
    match paint {
        usvg::Paint::Color(colour) => {
            Ok([colour.red, colour.green, colour.blue].map(|part| f32::from(part) / 255.0))
        }
        _ => Err(unknown("a gradient or pattern")),
    }
}

fn deflated(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut to = ZlibEncoder::new(Vec::new(), Compression::default());
    let done = to.write_all(bytes).and_then(|()| to.finish());
    done.map_err(|error| error.to_string())
}

impl Page {
    fn group(&mut self, group: &usvg::Group) -> Result<(), String> {
        for node in group.children() {
            match node {
                usvg::Node::Group(group) => self.group(group)?,
                usvg::Node::Path(path) => self.path(path)?,
                usvg::Node::Image(image) => self.image(image)?,
                usvg::Node::Text(text) => self.group(text.flattened())?,
            }
        }
        Ok(())
    }

    fn begin(&mut self, transform: usvg::Transform, opacity: f32) {
        self.content.save_state();
        if opacity < 1.0 {
            let known = self.opacities.iter().position(|one| *one == opacity);
            let at = known.unwrap_or_else(|| {
                self.opacities.push(opacity);
                self.opacities.len() - 1
            });
            self.content
                .set_parameters(Name(format!("O{at}").as_bytes()));
        }
        if !transform.is_identity() {
            let t = transform;
            self.content.transform([t.sx, t.ky, t.kx, t.sy, t.tx, t.ty]);
        }
    }

    fn outline(&mut self, path: &usvg::Path) {
        let content = &mut self.content;
        let (mut x, mut y) = (0.0, 0.0);
        for segment in path.data().segments() {
            match segment {
                PathSegment::MoveTo(to) => {
                    content.move_to(to.x, to.y);
                    (x, y) = (to.x, to.y);
                }
                PathSegment::LineTo(to) => {
                    content.line_to(to.x, to.y);
                    (x, y) = (to.x, to.y);
                }
                PathSegment::QuadTo(by, to) => {
                    let near = |from: f32, by: f32| from + 2.0 / 3.0 * (by - from);
                    content.cubic_to(
                        near(x, by.x),
                        near(y, by.y),
                        near(to.x, by.x),
                        near(to.y, by.y),
                        to.x,
                        to.y,
                    );
                    (x, y) = (to.x, to.y);
                }
                PathSegment::CubicTo(a, b, to) => {
                    content.cubic_to(a.x, a.y, b.x, b.y, to.x, to.y);
                    (x, y) = (to.x, to.y);
                }
                PathSegment::Close => {
                    content.close_path();
                }
            }
        }
    }

    fn path(&mut self, path: &usvg::Path) -> Result<(), String> {
        if !path.is_visible() {
            return Ok(());
        }
        if let Some(fill) = path.fill() {
            let [r, g, b] = colour(fill.paint())?;
            self.begin(path.abs_transform(), fill.opacity().get());
            self.content.set_fill_rgb(r, g, b);
            self.outline(path);
            match fill.rule() {
                usvg::FillRule::NonZero => self.content.fill_nonzero(),
                usvg::FillRule::EvenOdd => self.content.fill_even_odd(),
            };
            self.content.restore_state();
        }
        if let Some(stroke) = path.stroke() {
            let [r, g, b] = colour(stroke.paint())?;
            self.begin(path.abs_transform(), stroke.opacity().get());
            self.content.set_stroke_rgb(r, g, b);
            self.content.set_line_width(stroke.width().get());
            self.content.set_line_cap(match stroke.linecap() {
                usvg::LineCap::Butt => LineCapStyle::ButtCap,
                usvg::LineCap::Round => LineCapStyle::RoundCap,
                usvg::LineCap::Square => LineCapStyle::ProjectingSquareCap,
            });
            self.content.set_line_join(match stroke.linejoin() {
                usvg::LineJoin::Round => LineJoinStyle::RoundJoin,
                usvg::LineJoin::Bevel => LineJoinStyle::BevelJoin,
                _ => LineJoinStyle::MiterJoin,
            });
            self.outline(path);
            self.content.stroke();
            self.content.restore_state();
        }
        Ok(())
    }

    fn image(&mut self, image: &usvg::Image) -> Result<(), String> {
        let usvg::ImageKind::PNG(bytes) = image.kind() else {
            return Err(unknown("a picture that is not a PNG"));
        };
        let dots = image::load_from_memory(bytes)
            .map_err(|error| error.to_string())?
            .to_rgb8();
        let size = image.size();
        self.begin(image.abs_transform(), 1.0);
        // A picture fills the unit square, its first row at the top.
        self.content
            .transform([size.width(), 0.0, 0.0, -size.height(), 0.0, size.height()]);
        let name = format!("P{}", self.pictures.len());
        self.content.x_object(Name(name.as_bytes()));
        self.content.restore_state();
        self.pictures
            .push(([dots.width(), dots.height()], deflated(dots.as_raw())?));
        Ok(())
    }

    fn file(self, [w, h]: [f32; 2], title: &str) -> Vec<u8> {
        let mut pdf = Pdf::new();
        let object = |at: usize| Ref::new(FIRST + at as i32);
        let pictures = self.pictures.len();
        pdf.catalog(CATALOG).pages(PAGES);
        pdf.pages(PAGES).kids([PAGE]).count(1);
        let mut page = pdf.page(PAGE);
        page.media_box(Rect::new(0.0, 0.0, w, h));
        page.parent(PAGES).contents(CONTENT);
        let mut resources = page.resources();
        let mut named = resources.x_objects();
        for at in 0..pictures {
            named.pair(Name(format!("P{at}").as_bytes()), object(at));
        }
        named.finish();
        let mut named = resources.ext_g_states();
        for at in 0..self.opacities.len() {
            named.pair(Name(format!("O{at}").as_bytes()), object(pictures + at));
        }
        named.finish();
        resources.finish();
        page.finish();
        let content = self.content.finish();
        match deflated(&content) {
            Ok(bytes) => {
                pdf.stream(CONTENT, &bytes).filter(Filter::FlateDecode);
            }
            Err(_) => {
                pdf.stream(CONTENT, &content);
            }
        }
        for (at, ([w, h], dots)) in self.pictures.iter().enumerate() {
            let mut image = pdf.image_xobject(object(at), dots);
            image.filter(Filter::FlateDecode);
            image.width(*w as i32).height(*h as i32);
            image.color_space().device_rgb();
            // Dots stay squares where they are drawn larger.
            image.bits_per_component(8).interpolate(false);
        }
        for (at, opacity) in self.opacities.iter().enumerate() {
            let mut state = pdf.ext_graphics(object(pictures + at));
            state.non_stroking_alpha(*opacity).stroking_alpha(*opacity);
        }
        pdf.document_info(INFO)
            .title(TextStr(title))
            .creator(TextStr("linearscope"));
        pdf.finish()
    }
}
