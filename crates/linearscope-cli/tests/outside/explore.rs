//! The explorer's page in a real browser, driven as a person would: what it shows is what the commands write.

mod classifier;
mod connection;
mod exported;
mod panels;
mod places;
mod screens;
mod stage;

use std::path::PathBuf;

use linearscope_test_support::{machine, needing, needs::Trial};

use classifier::*;
use connection::*;
use exported::*;
use panels::*;
use places::*;
use screens::*;

/// All of them. Each needs a browser.
pub(crate) fn trials() -> Vec<Trial> {
    let find = machine::driven_browser;
    let mut trials = needing!(find =>
        the_cursor_shows_rows_and_columns_of_the_commands,
        a_click_pins_and_numbers_follow_the_cursor,
        a_drag_is_a_region_and_shift_compares,
        the_keyboard_does_what_the_mouse_does,
        a_tap_pins,
    );
    trials.extend(needing!(find =>
        a_link_is_the_view,
        a_link_that_is_wrong_says_so,
        the_page_waits_for_a_server_that_is_gone,
        another_question_at_the_same_port_is_another_page,
        a_link_is_no_command,
    ));
    trials.extend(needing!(find =>
        classes_show_their_scores_and_attributions,
        layers_sum_to_the_score,
    ));
    trials.extend(needing!(find =>
        singular_vectors_are_those_of_the_command,
        the_residual_is_that_of_run,
        the_way_to_black_is_that_of_run_and_project,
        fields_are_those_of_maps,
        tables_sort_by_their_headings,
        two_pictures_have_one_cursor,
        an_attack_is_seen_before_and_after,
        the_command_that_is_shown_makes_what_is_shown,
        panels_open_without_complaint,
    ));
    trials.extend(needing!(find => it_fits_every_screen, it_begins_by_itself));
    trials.extend(needing!(find =>
        an_export_shows_rows_and_columns_of_the_commands,
        an_export_of_a_classifier_shows_its_attributions,
        panels_of_an_export_open,
        a_folder_that_is_not_whole_says_so,
    ));
    trials
}

type Chromium = PathBuf;
