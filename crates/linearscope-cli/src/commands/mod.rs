//! One file per command, and one line in the list.

pub(crate) mod analyse;
pub(crate) mod attack;
pub(crate) mod attribute;
pub(crate) mod backproject;
pub(crate) mod bases;
pub(crate) mod bench;
pub(crate) mod column;
pub(crate) mod completions;
pub(crate) mod contributions;
pub(crate) mod demo;
pub(crate) mod devices;
pub(crate) mod evaluate;
#[cfg(feature = "explore")]
pub(crate) mod explore;
pub(crate) mod fetch;
pub(crate) mod fields;
pub(crate) mod inspect;
pub(crate) mod maps;
pub(crate) mod matrix;
pub(crate) mod mean;
pub(crate) mod merge;
pub(crate) mod position;
pub(crate) mod project;
pub(crate) mod row;
pub(crate) mod run;
pub(crate) mod serve_device;
pub(crate) mod spectrum;
pub(crate) mod svd;
pub(crate) mod verify;
pub(crate) mod votes;
pub(crate) mod walk;

use crate::command::{Entry, Group, Pictures};

/// Every command, in the order of help and documentation.
pub(crate) const ALL: &[Entry] = &[
    Entry::of::<demo::Demo>(),
    #[cfg(feature = "explore")]
    Entry::of::<explore::Explore>(),
    Entry::of::<analyse::Analyse>(),
    Entry::of::<run::Run>(),
    Entry::of::<attribute::Attribute>(),
    Entry::of::<evaluate::Evaluate>(),
    Entry::of::<row::Row>(),
    Entry::of::<contributions::Contributions>(),
    Entry::of::<votes::Votes>(),
    Entry::of::<attack::Attack>(),
    Entry::of::<column::Column>(),
    Entry::of::<svd::Svd>(),
    Entry::of::<spectrum::Spectrum>(),
    Entry::of::<maps::Maps>(),
    Entry::of::<mean::Mean>(),
    Entry::of::<walk::Walk>(),
    Entry::of::<project::Project>(),
    Entry::of::<backproject::Backproject>(),
    Entry::of::<matrix::Matrix>(),
    Entry::of::<inspect::Inspect>(),
    Entry::of::<verify::Verify>(),
    Entry::of::<bench::Bench>(),
    Entry::of::<devices::Devices>(),
    Entry::of::<serve_device::ServeDevice>(),
    Entry::of::<merge::Merge>(),
    Entry::of::<fetch::Fetch>(),
    Entry::of::<completions::Completions>(),
];

/// The commands that take a folder of pictures.
pub(crate) fn on_folders() -> Vec<&'static str> {
    let all = ALL.iter().map(|entry| entry.about);
    all.filter(|about| about.pictures == Pictures::Folders)
        .map(|about| about.name)
        .collect()
}

/// The whole command line.
pub(crate) fn clap() -> clap::Command {
    let program = clap::Command::new("linearscope")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "See how a convolutional network solves its problem: freeze the decisions its non-linear units \
             made for one picture, and read the affine map y = F x + r that remains",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(100)
        .help_template("{about}\n\n{usage-heading} {usage}\n\n{after-help}\n\nOptions:\n{options}")
        .after_help(list());
    ALL.iter()
        .fold(program, |program, entry| program.subcommand(entry.clap()))
}

/// The commands under their headings.
fn list() -> String {
    let width = ALL.iter().map(|entry| entry.about.name.len()).max();
    let width = width.unwrap_or(0);
    let mut text = String::new();
    for group in Group::ALL {
        text += &format!("{}:\n", group.heading());
        for about in ALL.iter().map(|entry| entry.about) {
            if about.group == group {
                text += &format!("  {:width$}  {}\n", about.name, about.summary);
            }
        }
        text.push('\n');
    }
    text + "Run `linearscope COMMAND --help` for help on a command. See docs/ for everything else."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        clap().debug_assert();
    }
}
