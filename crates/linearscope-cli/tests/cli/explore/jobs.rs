//! What takes long: told line by line, kept, stopped when nobody waits.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use super::{Folder, explore, npy, picture, same, scene, sr, vgg};

#[test]
fn singular_vectors_are_those_of_svd() {
    let folder = Folder::new();
    let (model, input) = (sr(), picture());
    let server = explore(&folder, &model, &input, &[]);
    assert_eq!(server.get("/api/svd/u?k=3&i=0").status, 409);
    let response = server.ok("/api/svd?k=3");
    assert_eq!(
        response.header("content-type"),
        Some("application/x-ndjson")
    );
    assert!(
        response
            .text()
            .lines()
            .next()
            .expect("a line")
            .contains("progress")
    );
    let done = response.done();
    folder.ok(&["svd", &model, "--input", &input, "-k", "3", "--out", "out"]);
    let (sigma, _) = folder.npy("out/sigma.npy");
    for (i, sigma) in sigma.iter().enumerate() {
        let served = done["sigma"][i].as_f64().expect("a number");
        assert_eq!(served as f32, *sigma as f32);
    }
    assert_eq!(done["converged"], true);
    for side in ["u", "v"] {
        let bytes: Vec<u8> = (0..3)
            .flat_map(|i| npy(&server.ok(&format!("/api/svd/{side}?k=3&i={i}")).body).1)
            .collect();
        assert_eq!(
            bytes,
            super::written(&folder, &format!("out/{side}.npy")),
            "{side}"
        );
    }
    // All pairs together are what they let through of x₀: σ ⟨v, x₀⟩ u.
    let sum = super::floats(&npy(&server.ok("/api/svd/sum?k=3&pairs=2").body).1);
    let u = folder.npy("out/u.npy").0;
    let each = sum.len();
    for (at, sum) in sum.iter().enumerate() {
        let expected: f64 = (0..2)
            .map(|i| {
                let of_x0 = done["of_x0"][i].as_f64().expect("a number");
                done["sigma"][i].as_f64().expect("a number") * of_x0 * u[i * each + at]
            })
            .sum();
        assert!((sum - expected).abs() <= 1e-5 * (1.0 + expected.abs()));
    }
    assert!(
        super::floats(&npy(&server.ok("/api/svd/sum?k=3&pairs=0").body).1)
            .iter()
            .all(|v| *v == 0.0)
    );
    // A second asking computes nothing.
    assert_eq!(server.ok("/api/svd?k=3").done(), done);
}

#[test]
fn votes_and_attacks_are_those_of_the_commands() {
    let folder = Folder::new();
    let (model, input) = (vgg(), scene());
    let server = explore(&folder, &model, &input, &[]);
    let done = server.ok("/api/votes").done();
    folder.ok(&["votes", &model, "--input", &input, "--out", "votes"]);
    same(&server, "/api/votes/map", &folder, "votes/votes.npy");
    let listed = folder.json("votes/votes.json");
    assert_eq!(done["classes"][0]["votes"], listed[0]["votes"]);
    assert_eq!(done["classes"][0]["share"], listed[0]["share"]);
    let done = server.ok("/api/attack?eps=8").done();
    folder.ok(&[
        "attack", &model, "--input", &input, "--eps", "8", "--out", "attack",
    ]);
    same(
        &server,
        "/api/attack/picture?eps=8",
        &folder,
        "attack/adversarial.npy",
    );
    let found = folder.json("attack/manifest.json")["found"].clone();
    assert_eq!(done["after"][0][0], found["class_after"]);
    assert_eq!(
        done["success"],
        found["class_after"] != found["class_before"]
    );
    // The picture that was made stands beside x₀: the network frozen there.
    let adversarial = folder.path("attack/adversarial.npy").display().to_string();
    folder.ok(&[
        "row",
        &model,
        "--input",
        &adversarial,
        "--target",
        "1",
        "--out",
        "after",
    ]);
    same(
        &server,
        "/api/row?at=1&attacked=8",
        &folder,
        "after/row.npy",
    );
    let after = server.ok("/api/session?attacked=8").json()["nets"][0].clone();
    assert_eq!(after["scores"], done["scores_after"]);
    assert_eq!(server.get("/api/row?at=1&attacked=3").status, 409);
}

/// A method that takes long is told line by line, and its map is there afterwards.
#[test]
fn attributions_may_be_jobs() {
    let folder = Folder::new();
    let (model, input) = (vgg(), scene());
    let server = explore(&folder, &model, &input, &[]);
    let question = "target=1&method=integrated-gradients";
    let done = server
        .ok(&format!("/api/attribution/job?{question}"))
        .done();
    folder.ok(&[
        "attribute",
        &model,
        "--input",
        &input,
        "--target",
        "1",
        "--method",
        "integrated-gradients",
        "--out",
        "out",
    ]);
    let path = format!("/api/attribution?{question}");
    same(&server, &path, &folder, "out/attribution.npy");
    let line = &folder.json("out/attributions.json")[0];
    assert_eq!(done["sum"], line["sum"]);
    assert_eq!(done["gap"], line["gap"]);
}

/// A client that leaves a long job frees the thread for the next question within a fraction of a second.
#[test]
fn who_leaves_stops_the_work() {
    let folder = Folder::new();
    let server = explore(&folder, &vgg(), &scene(), &[]);
    server.ok("/api/session");
    // What an eighth of the work takes, undisturbed.
    let began = Instant::now();
    server.ok("/api/attribution?method=rise:512");
    let eighth = began.elapsed();
    let mut stream = server.connect().expect("a connection");
    let host = server.at;
    let request = format!("GET /api/attribution?method=rise:4096 HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    // It is at work by now, since nothing else is.
    std::thread::sleep(eighth / 2);
    drop(stream);
    let began = Instant::now();
    server.ok("/api/row?at=1");
    let waited = began.elapsed();
    assert!(
        waited < 3 * eighth,
        "{waited:?}, and an eighth is {eighth:?}"
    );
}

/// Who leaves in the middle of a freezing leaves nothing half-made: the next who asks gets what the command writes.
#[test]
fn who_leaves_a_freezing_leaves_no_trace() {
    let folder = Folder::new();
    let (model, input) = (vgg(), scene());
    let server = explore(&folder, &model, &input, &[]);
    // What one takes, undisturbed.
    let began = Instant::now();
    server.ok("/api/row?at=1&rules=std-only");
    let whole = began.elapsed();
    for rules in ["taylor", "paper"] {
        for part in 0..4 {
            let mut stream = server.connect().expect("a connection");
            let host = server.at;
            let request =
                format!("GET /api/row?at=1&rules={rules} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("sent");
            std::thread::sleep(whole * part / 4);
        }
        folder.ok(&[
            "row", &model, "--input", &input, "--rules", rules, "--target", "1", "--out", rules,
        ]);
        let path = format!("/api/row?at=1&rules={rules}");
        same(&server, &path, &folder, &format!("{rules}/row.npy"));
    }
}

/// While a job works the pointer is answered.
#[test]
fn a_job_makes_way_for_the_pointer() {
    let folder = Folder::new();
    let server = explore(&folder, &sr(), &picture(), &[]);
    server.ok("/api/session");
    let mut stream = server.connect().expect("a connection");
    let request = format!(
        "GET /api/svd?k=64 HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        server.at
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut some = [0; 512];
    let read = stream.read(&mut some).expect("its head");
    assert!(read > 0);
    server.ok("/api/row?at=0,7,7&hover=1&client=me");
    // It had not ended when the pointer was answered.
    stream
        .set_read_timeout(Some(Duration::from_millis(1)))
        .expect("set");
    let mut rest = String::from_utf8_lossy(&some[..read]).into_owned();
    let mut more = Vec::new();
    let ended = stream.read_to_end(&mut more).is_ok();
    rest += &String::from_utf8_lossy(&more);
    assert!(!ended && !rest.contains("\"done\""), "{rest}");
}
