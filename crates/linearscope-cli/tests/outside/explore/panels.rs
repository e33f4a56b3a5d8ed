//! Panels: what long things give, and two pictures under one cursor.

use linearscope_test_support::{assets, browser::Held};

use super::{
    Chromium,
    stage::{Stage, same},
};

/// The field that the panel's picture under this heading tells the numbers of, whatever is drawn.
fn pictured(stage: &mut Stage, heading: &str) -> Vec<f64> {
    let field = format!(
        "[...linearscope.planes].find(p => p.numbers?.length && document.querySelector('.panel').contains(p.node)
          && p.node.parentNode.querySelector('h3').textContent.startsWith({heading:?}))?.numbers[0][1]"
    );
    stage.browser.until(&field);
    stage.field(&field)
}

/// Click the button by which an open panel begins, if it has one, and whether it has.
fn begin(stage: &mut Stage) -> bool {
    let there = "Boolean(document.querySelector('.panel button.main'))";
    if stage.browser.value(there) != true {
        return false;
    }
    let main = stage.browser.place(".panel button.main", [0.5, 0.5]);
    stage.browser.click(main, Held::Nothing);
    true
}

/// A number of a run in f32.
fn rounded(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v as f32)).collect()
}

/// The residual's picture is `run`'s, and the other one is what it leaves of the output.
pub(crate) fn the_residual_is_that_of_run(chromium: Chromium) {
    let mut stage = Stage::upscaler(&chromium);
    stage.open("panel=residual");
    let shown = pictured(&mut stage, "Residual r");
    let (residual, _) = stage.command("run", &[], "residual");
    same(&shown, &residual, "r");
    let linear = pictured(&mut stage, "F x₀");
    let (output, _) = stage.command("run", &[], "output");
    let rest: Vec<f64> = output.iter().zip(&residual).map(|(y, r)| y - r).collect();
    same(&rounded(&linear), &rounded(&rest), "y₀ − r");
    // Of scores it is a table.
    let mut stage = Stage::classifier(&chromium);
    stage.open("panel=residual");
    let cells = "[...document.querySelectorAll('td[data-residual]')]";
    stage.browser.until(&format!("{cells}.length"));
    let shown = stage.browser.numbers(&format!(
        "{cells}.flatMap(cell => [Number(cell.dataset.residual), Number(cell.dataset.value)])"
    ));
    let (residual, _) = stage.command("run", &[], "residual");
    for pair in shown.chunks(2) {
        assert_eq!(pair[1], residual[pair[0] as usize], "class {}", pair[0]);
    }
    stage.no_complaints();
}

/// Half of the way to black, f(x) is what `run` writes of that picture, and F x + r what `project` does.
pub(crate) fn the_way_to_black_is_that_of_run_and_project(chromium: Chromium) {
    let mut stage = Stage::upscaler(&chromium);
    let (x0, shape) = stage.command_whole("run", &[], "x0");
    // Black is 0 in this network's recipe, so that half of the way is half of the picture, to the bit.
    let half: Vec<f32> = x0.iter().map(|x| (0.5 * x) as f32).collect();
    let shape: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
    let half = stage.folder.write_npy("half.npy", &half, &shape);
    stage.open("panel=validity&towards=black&t=0.5");
    let read = pictured(&mut stage, "F x + r");
    let f = pictured(&mut stage, "f(x)");
    let gap = pictured(&mut stage, "Difference");
    let (affine, _) = stage.command("project", &["--probe", &half], "affine");
    same(&read, &affine, "F x + r");
    stage.of[2] = half;
    let (output, _) = stage.command("run", &[], "output");
    same(&f, &output, "f(x)");
    let written: Vec<f64> = affine.iter().zip(&output).map(|(a, b)| a - b).collect();
    same(&rounded(&gap), &rounded(&written), "F x + r − f(x)");
    stage.no_complaints();
}

/// Radii of rows and of columns, and the shares, are those of `maps`, place by place.
pub(crate) fn fields_are_those_of_maps(chromium: Chromium) {
    let small = ["--resize", "24x24"];
    let mut stage = Stage::bundled(&chromium, "tiny_sr", "pictures/scene.png", &small);
    stage.open("panel=fields");
    let button = stage.browser.place(".panel button.main", [0.5, 0.5]);
    stage.browser.click(button, Held::Nothing);
    for (of, array) in [("row", "row_radius"), ("column", "column_radius")] {
        let (written, shape) = stage.command_whole("maps", &small, array);
        let each = shape[1] * shape[2];
        for (i, share) in ["50", "90", "99"].into_iter().enumerate() {
            let title = format!("Radius that contains {share}");
            let heading = "p.node.parentNode.querySelector('h3').textContent";
            let field = format!(
                "[...linearscope.planes].find(p => p.numbers?.length && document.querySelector('.panel').contains(p.node)
                  && {heading}.startsWith({title:?}) && {heading}.endsWith('of a {of}'))?.numbers[0][1]"
            );
            stage.browser.until(&field);
            let shown = rounded(&stage.field(&field));
            same(
                &shown,
                &written[i * each..][..each],
                &format!("{title} of a {of}"),
            );
        }
    }
    let shown = pictured(&mut stage, "Share of a row far");
    let (written, _) = stage.command_whole("maps", &small, "off_diagonal");
    same(&rounded(&shown), &written, "shares");
    stage.no_complaints();
}

/// Every table of a panel sorts by a click on a heading, and by keys; the order outlives what is drawn anew.
pub(crate) fn tables_sort_by_their_headings(chromium: Chromium) {
    let mut stage = Stage::classifier(&chromium);
    stage.open("panel=layers");
    let values = "[...document.querySelectorAll('.panel td[data-layer]')].map(cell => Number(cell.dataset.value))";
    stage.browser.until(&format!("{values}.length"));
    let network = stage.browser.numbers(values);
    let mut down = network.clone();
    down.sort_by(|a, b| b.total_cmp(a));
    assert_ne!(network, down, "sorting would show nothing");
    let up: Vec<f64> = down.iter().rev().copied().collect();
    let head = |n: usize| format!(".panel thead th:nth-child({n}) button");
    let sorted = |stage: &mut Stage, n: usize| {
        let cell = format!("document.querySelector('.panel thead th:nth-child({n})')");
        stage
            .browser
            .value(&format!("{cell}.getAttribute('aria-sort')"))
    };
    let adds = stage.browser.place(&head(2), [0.5, 0.5]);
    assert!(sorted(&mut stage, 2).is_null());
    stage.browser.click(adds, Held::Nothing);
    assert_eq!(stage.browser.numbers(values), down);
    assert_eq!(sorted(&mut stage, 2), "descending");
    // A layer is chosen: the table is drawn anew, as it was sorted.
    let layer = stage
        .browser
        .place(".panel tbody tr:nth-child(2) button.link", [0.5, 0.5]);
    stage.browser.click(layer, Held::Nothing);
    stage
        .browser
        .until("document.querySelector('.panel tr[aria-current=true]')");
    assert_eq!(stage.browser.numbers(values), down);
    assert_eq!(sorted(&mut stage, 2), "descending");
    let adds = stage.browser.place(&head(2), [0.5, 0.5]);
    stage.browser.click(adds, Held::Nothing);
    assert_eq!(stage.browser.numbers(values), up);
    assert_eq!(sorted(&mut stage, 2), "ascending");
    // By keys, which pin nothing; by the layers themselves it is the network's order again.
    let focus = format!("document.querySelector('{}').focus()", head(1));
    stage.browser.value(&focus);
    let backwards: Vec<f64> = network.iter().rev().copied().collect();
    stage.browser.key("Enter", Held::Nothing);
    assert_eq!(stage.browser.numbers(values), backwards);
    assert_eq!(sorted(&mut stage, 1), "descending");
    assert!(sorted(&mut stage, 2).is_null());
    stage.browser.key(" ", Held::Nothing);
    assert_eq!(stage.browser.numbers(values), network);
    assert_eq!(sorted(&mut stage, 1), "ascending");
    assert_eq!(stage.browser.value("linearscope.flashlight.pinned"), false);

    // In the other panels too, each by its first number: whatever has a name has a button, and cells follow their keys.
    let keys = "[...document.querySelector('.panel table').tBodies[0].rows].map(row => Number(row.cells[1].dataset.key))";
    for panel in ["residual", "validity", "votes", "attack"] {
        stage.open(&format!("panel={panel}"));
        begin(&mut stage);
        stage
            .browser
            .until("document.querySelector('.panel table tbody tr')");
        let plain = "[...document.querySelectorAll('.panel thead th')].filter(th => Boolean(th.textContent) !== Boolean(th.querySelector('button'))).length";
        let lacking = stage.browser.value(plain);
        assert_eq!(lacking, 0, "{panel}");
        for way in ["descending", "ascending"] {
            let place = stage.browser.place(&head(2), [0.5, 0.5]);
            stage.browser.click(place, Held::Nothing);
            assert_eq!(sorted(&mut stage, 2), way, "{panel}");
            let found = stage.browser.numbers(keys);
            assert!(found.len() > 1, "{panel}: {found:?}");
            let fits = |pair: &[f64]| match way {
                "descending" => pair[0] >= pair[1],
                _ => pair[0] <= pair[1],
            };
            assert!(found.windows(2).all(fits), "{panel}, {way}: {found:?}");
        }
    }
    stage.no_complaints();
}

/// Values and vectors of the chart are those of `svd`.
pub(crate) fn singular_vectors_are_those_of_the_command(chromium: Chromium) {
    let mut stage = Stage::bundled(
        &chromium,
        "tiny_sr",
        "pictures/scene.png",
        &["--resize", "24x24"],
    );
    stage.open("panel=svd&k=3");
    let button = stage.browser.place(".panel button.main", [0.5, 0.5]);
    stage.browser.click(button, Held::Nothing);
    stage
        .browser
        .until("document.querySelectorAll('.chart .sigma').length === 3");
    let shown = stage.browser.numbers(
        "[...document.querySelectorAll('.chart .sigma')].map(bar => Number(bar.dataset.value))",
    );
    let (sigma, _) = stage.command_whole("svd", &["-k", "3", "--resize", "24x24"], "sigma");
    same(&shown, &sigma, "σ");
    // The second pair, by keys.
    stage
        .browser
        .value("document.querySelector('.chart .sigma').focus()");
    stage.browser.key("ArrowRight", Held::Nothing);
    stage.browser.until("linearscope.state.get('pair') === 1 && [...linearscope.planes].some(p => p.field?.address?.includes('svd/v') && p.field.address.includes('i=1'))");
    let v =
        stage.field("[...linearscope.planes].find(p => p.field?.address?.includes('svd/v')).field");
    let (written, _) = stage.command_whole("svd", &["-k", "3", "--resize", "24x24"], "v");
    same(&v, &written[v.len()..2 * v.len()], "v of the second pair");
    stage.no_complaints();
}

/// The other picture's row at the cursor's place is that of the command on it.
pub(crate) fn two_pictures_have_one_cursor(chromium: Chromium) {
    let other = assets().join("photos/coffee.png").display().to_string();
    let size = ["--resize", "32x32"];
    let mut stage = Stage::bundled(
        &chromium,
        "pixelshuffle",
        "pictures/cat.png",
        &["--resize", "32x32", "--compare-input", &other],
    );
    stage.open("panel=compare");
    stage.hover("out", [40, 41]);
    stage.until_shown("all,40,41");
    let beside = "[...linearscope.planes].find(p => p.field?.address?.includes('net=1') && p.field.address.includes('at=all,40,41'))?.field";
    stage.browser.until(beside);
    let mine = stage.field("linearscope.flashlight.field");
    let theirs = stage.field(beside);
    let (row, _) = stage.command("row", &["--target", "0,40,41", size[0], size[1]], "row");
    same(&mine, &row, "the first picture's row");
    stage.of[2] = other;
    let (row, _) = stage.command("row", &["--target", "0,40,41", size[0], size[1]], "row");
    same(&theirs, &row, "the second picture's row");
    stage.no_complaints();
}

/// After an attack the cursor's row at the picture that it made stands beside the one before.
pub(crate) fn an_attack_is_seen_before_and_after(chromium: Chromium) {
    let mut stage = Stage::classifier(&chromium);
    stage.open("panel=attack&method=weights&at=out,5&eps=2");
    stage.until_shown_class(5);
    let button = stage.browser.place(".panel button.main", [0.5, 0.5]);
    stage.browser.click(button, Held::Nothing);
    let beside =
        "[...linearscope.planes].find(p => p.field?.address?.includes('attacked=2'))?.field";
    stage.browser.until(beside);
    let after = stage.field(beside);
    let before = stage.field("linearscope.flashlight.field");
    let (row, _) = stage.command("row", &["--target", "5"], "row");
    same(&before, &row, "the row before");
    let (adversarial, shape) = stage.command_whole("attack", &["--eps", "2"], "adversarial");
    let shape: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
    let values: Vec<f32> = adversarial.iter().map(|&value| value as f32).collect();
    stage.of[2] = stage.folder.write_npy("adversarial.npy", &values, &shape);
    let (row, _) = stage.command("row", &["--target", "5"], "row");
    same(&after, &row, "the row after");
    assert_ne!(before, after, "the attack changed nothing");
    stage.no_complaints();
}

/// A node as the output, and other rules, give what the command gives with `--output` and `--rules`; the page's own
/// words for it make the same array again.
pub(crate) fn the_command_that_is_shown_makes_what_is_shown(chromium: Chromium) {
    let mut stage = Stage::bundled(&chromium, "facade", "pictures/facade.png", &[]);
    for (hash, place) in [
        ("", "all,20,21"),
        ("rules=taylor", "all,20,21"),
        ("to=down2&co=3", "3,8,9"),
        ("ci=2&at=in,8,9", "2,8,9"),
        ("region=out,3,4,9,20", ""),
    ] {
        stage.open(hash);
        if !hash.contains("in,") && !place.is_empty() {
            let numbers: Vec<usize> = place
                .split(',')
                .skip(1)
                .map(|n| n.parse().expect("a number"))
                .collect();
            stage.hover("out", [numbers[0], numbers[1]]);
        }
        if place.is_empty() {
            stage.until_region();
        } else {
            stage.until_shown(place);
        }
        let side = if hash.contains("in,") { "out" } else { "in" };
        let button = stage.browser.place(
            &format!(".view.{side} .take button[aria-expanded]"),
            [0.5, 0.5],
        );
        // The way there must not lead over the pictures.
        stage
            .browser
            .value("linearscope.flashlight.hover = () => {}");
        stage.browser.click(button, Held::Nothing);
        let said = stage.browser.text(&format!(
            "document.querySelector('.view.{side} code.command').textContent"
        ));
        let shown = stage.field("linearscope.flashlight.field");
        let array = said.split(' ').nth(1).expect("a command").to_owned();
        let args: Vec<&str> = said
            .split(' ')
            .skip(1)
            .chain(["--out", "again", "--fresh"])
            .collect();
        stage.folder.ok(&args);
        let (written, _) = stage.folder.npy(&format!("again/{array}.npy"));
        same(&shown, &written, &said);
        std::fs::remove_dir_all(stage.folder.path("again")).expect("results");
    }
    stage.no_complaints();
}

/// Every panel opens and says what it has or why it has nothing.
pub(crate) fn panels_open_without_complaint(chromium: Chromium) {
    let mut stage = Stage::classifier(&chromium);
    let tabs = stage
        .browser
        .value("document.querySelectorAll('[role=tab]').length");
    for i in 1..=tabs.as_u64().expect("tabs") {
        let tab = stage
            .browser
            .place(&format!("[role=tab]:nth-child({i})"), [0.5, 0.5]);
        stage.browser.click(tab, Held::Nothing);
        let said = "document.getElementById('panel').textContent.trim()";
        stage.browser.until(said);
        // What begins by a button begins, and ends with something to see.
        if begin(&mut stage) {
            stage.browser.until("document.querySelector('.panel .job progress') || !document.querySelector('.panel .job')?.textContent");
        }
        stage
            .browser
            .until("!document.querySelector('.panel .job progress')");
        let failure = stage
            .browser
            .value("document.querySelector('.panel .failure')?.textContent ?? null");
        assert!(failure.is_null(), "panel {i}: {failure}");
    }
    stage.no_complaints();
}
