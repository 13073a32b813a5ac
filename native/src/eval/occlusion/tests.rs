use super::*;

#[test]
fn settings_are_those_of_the_official_curves() {
    let all = Occlusion::default().scores(true);
    assert_eq!(all.len(), 30);
    assert_eq!((all[0].tenths, all[9].tenths, all[29].tenths), (0, 9, 10));
    assert_eq!(Occlusion::default().scores(false).len(), 10);
    let salient = Occlusion {
        hide: vec![Hidden::Salient],
        ..Occlusion::default()
    };
    assert!(salient.scores(false).is_empty());
}

#[test]
fn salient_and_other_patches_complete_each_other() {
    let views = Views {
        pixels: vec![1.0; 3 * 16],
        side: 4,
        places: vec![0],
        labels: vec![0],
    };
    let attention = [vec![0.1, 0.2, 0.3, 0.4]];
    let task = Occlusion::default();
    let mut scores = task.scores(true);
    let mut both = Vec::new();
    for score in &mut scores {
        if score.hidden != Hidden::Random && score.tenths == 5 {
            let pixels = task.hidden(&views, &attention, 0, score);
            assert!((score.hidden_shares - 0.5).abs() < 1e-12);
            both.push(pixels);
        }
    }
    // The two last patches are the lower half.
    assert_eq!(both[0][..8], [1.0; 8]);
    assert_eq!(both[0][8..16], [0.0; 8]);
    assert_eq!(both[1][..16], [vec![0.0; 8], vec![1.0; 8]].concat());
}
