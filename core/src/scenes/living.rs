//! Drawings of things that grow: tree, fish, flower, mushroom, butterfly, cat.

use std::f32::consts::{FRAC_PI_2, TAU};

use super::outlines::Outline;
use super::palette::Rgb;
use super::pen::{Part, Pen};

/// A fir: three tiers of branches on a trunk, hung with fruit.
pub(super) fn tree(pen: &mut Pen, [main, second, accent, _]: [Rgb; 4]) {
    let (width, trunk) = (pen.vary(0.66, 0.82), pen.vary(0.11, 0.16));
    pen.draw(
        Part::Trunk,
        second,
        Outline::block([0.0, 0.75], [trunk, 0.23], 0.03),
    );

    for tier in [2.0, 1.0, 0.0] {
        let (foot, half) = (-0.3 + 0.47 * tier, width * (0.56 + 0.22 * tier));
        let crown = [
            [0.0, foot - 0.66],
            [half, foot],
            [0.0, foot + 0.06],
            [-half, foot],
        ];
        pen.draw(Part::Crown, main, Outline::polygon(crown));
        for side in [-1.0, 1.0] {
            let x = side * half * pen.vary(0.22, 0.5);
            pen.draw(Part::Fruit, accent, Outline::disc([x, foot - 0.13], 0.085));
        }
    }
}

/// A swimmer facing right: body with a stripe, forked tail, fins above and below, an eye.
pub(super) fn fish(pen: &mut Pen, [main, second, accent, detail]: [Rgb; 4]) {
    let (height, spread) = (pen.vary(0.4, 0.54), pen.vary(0.34, 0.48));

    let tail = [[-0.45, 0.0], [-0.97, -spread], [-0.8, 0.0], [-0.97, spread]];
    pen.draw(Part::Tail, second, Outline::polygon(tail));

    let crest = [
        [-0.25, -height * 0.6],
        [-0.2, -height - 0.22],
        [0.15, -height - 0.16],
        [0.45, -height * 0.7],
    ];
    pen.draw(Part::Fin, second, Outline::polygon(crest));
    let belly = [
        [-0.1, height * 0.7],
        [-0.22, height + 0.2],
        [0.05, height + 0.16],
        [0.3, height * 0.8],
    ];
    pen.draw(Part::Fin, second, Outline::polygon(belly));

    pen.draw(
        Part::Body,
        main,
        Outline::ellipse([0.2, 0.0], [0.78, height]),
    );
    let stripe = pen.vary(-0.1, 0.1);
    pen.draw(
        Part::Body,
        accent,
        Outline::line([stripe, -height * 0.6], [stripe, height * 0.6], 0.06),
    );
    pen.draw(
        Part::Fin,
        second,
        Outline::blade([0.36, 0.1], 2.7, 0.36, 0.2),
    );

    pen.draw(Part::Eye, [0.97; 3], Outline::disc([0.66, -0.1], 0.14));
    pen.draw(
        Part::Eye,
        detail.map(|c| c * 0.35),
        Outline::disc([0.69, -0.1], 0.075),
    );
}

/// A ring of petals around a centre on a stem with two leaves.
pub(super) fn flower(pen: &mut Pen, [main, second, accent, _]: [Rgb; 4]) {
    let (middle, bend) = ([0.0, -0.32], pen.vary(-0.15, 0.15));
    pen.draw(
        Part::Stem,
        second,
        Outline::line(middle, [bend, 0.95], 0.06),
    );
    for side in [-1.0, 1.0] {
        let (angle, root) = (FRAC_PI_2 - side * pen.vary(1.8, 2.2), pen.vary(0.62, 0.85));
        pen.draw(
            Part::Leaf,
            second,
            Outline::blade([bend * 0.7, root], angle, 0.6, 0.24),
        );
    }

    let (petals, turn) = (pen.count(5, 7), pen.vary(0.0, TAU));
    let width = 2.05 / f32::from(petals);
    for i in 0..petals {
        let angle = turn + TAU * f32::from(i) / f32::from(petals);
        pen.draw(
            Part::Petal,
            main,
            Outline::blade(middle, angle, 0.68, width),
        );
    }

    let radius = pen.vary(0.18, 0.25);
    pen.draw(Part::Center, accent, Outline::disc(middle, radius));
}

/// A spotted cap on a thick stem in the grass.
pub(super) fn mushroom(pen: &mut Pen, [main, second, accent, detail]: [Rgb; 4]) {
    let (half, brim, height) = (
        pen.vary(0.82, 0.96),
        pen.vary(-0.05, 0.1),
        pen.vary(0.86, 0.98),
    );
    let (neck, foot) = (pen.vary(0.2, 0.28), pen.vary(0.28, 0.38));

    let stem = [
        [-neck, brim],
        [neck, brim],
        [foot, 0.85],
        [foot * 0.7, 0.95],
        [-foot * 0.7, 0.95],
        [-foot, 0.85],
    ];
    pen.draw(Part::Stem, second, Outline::polygon(stem));
    pen.draw(
        Part::Cap,
        main,
        Outline::segment([0.0, brim], [half, height], 0.5..1.0),
    );

    for (x, y, radius) in [
        (-0.5, 0.25, 0.14),
        (0.52, 0.28, 0.13),
        (-0.05, 0.42, 0.17),
        (0.3, 0.68, 0.1),
    ] {
        let (x, radius) = (x + pen.vary(-0.06, 0.06), radius * pen.vary(0.8, 1.1));
        pen.draw(
            Part::Spot,
            accent,
            Outline::disc([x * half, brim - y * height], radius),
        );
    }

    for side in [-1.0, 1.0] {
        for lean in [0.75, 0.2] {
            let (angle, length) = (-FRAC_PI_2 + side * lean, pen.vary(0.36, 0.5));
            pen.draw(
                Part::Leaf,
                detail,
                Outline::blade([side * (foot + 0.06), 0.98], angle, length, 0.13),
            );
        }
    }
}

/// Four spotted wings spread from a slim body with two antennae.
pub(super) fn butterfly(pen: &mut Pen, [main, second, accent, detail]: [Rgb; 4]) {
    let (upper, lower) = (pen.vary(0.62, 0.85), pen.vary(0.62, 0.9));
    let (long, short) = (pen.vary(1.0, 1.1), pen.vary(0.72, 0.84));
    let (broad, spot) = (pen.vary(0.54, 0.68), pen.vary(0.12, 0.16));

    for side in [-1.0, 1.0] {
        // Angles count clockwise from the right; the left wings mirror the right ones.
        let angle = |tilt: f32| if side > 0.0 { tilt } else { TAU / 2.0 - tilt };
        let along = |tilt: f32, reach: f32| [side * reach * tilt.cos(), reach * tilt.sin()];

        pen.draw(
            Part::Wing,
            second,
            Outline::blade([0.0, 0.08], angle(lower), short, broad * 0.9),
        );
        pen.draw(
            Part::Wing,
            main,
            Outline::blade([0.0, 0.0], angle(-upper), long, broad),
        );

        pen.draw(
            Part::Spot,
            accent,
            Outline::disc(along(-upper, long * 0.68), spot),
        );
        pen.draw(
            Part::Spot,
            accent,
            Outline::disc(along(lower, short * 0.75), spot * 0.75),
        );

        pen.draw(
            Part::Antenna,
            detail,
            Outline::line([0.0, -0.4], [side * 0.22, -0.9], 0.035),
        );
    }

    pen.draw(
        Part::Body,
        detail,
        Outline::ellipse([0.0, 0.05], [0.11, 0.56]),
    );
}

/// A head with pointed ears, two eyes, a nose and whiskers.
pub(super) fn cat(pen: &mut Pen, [main, second, accent, detail]: [Rgb; 4]) {
    let (half, height) = (pen.vary(0.78, 0.92), pen.vary(0.64, 0.74));
    let (tip, spread) = (pen.vary(-0.98, -0.86), pen.vary(0.66, 0.82));

    for side in [-1.0, 1.0] {
        let ear = [
            [side * 0.16, -0.4],
            [side * spread, tip],
            [side * half * 0.97, 0.0],
        ];
        pen.draw(Part::Ear, main, Outline::polygon(ear));

        let inner = [
            [side * 0.4, -0.42],
            [side * (spread - 0.03), tip + 0.2],
            [side * half * 0.85, -0.2],
        ];
        pen.draw(Part::Ear, second, Outline::polygon(inner));
    }

    pen.draw(
        Part::Head,
        main,
        Outline::ellipse([0.0, 0.2], [half, height]),
    );
    let (apart, large) = (pen.vary(0.32, 0.42), pen.vary(0.15, 0.2));
    for side in [-1.0, 1.0] {
        pen.draw(
            Part::Eye,
            [0.97; 3],
            Outline::ellipse([side * apart, 0.08], [large, 0.19]),
        );
        pen.draw(
            Part::Eye,
            detail.map(|c| c * 0.35),
            Outline::ellipse([side * apart, 0.08], [0.07, 0.15]),
        );

        for slope in [-0.06, 0.12] {
            let from = [side * 0.3, 0.46 + slope * 0.5];
            pen.draw(
                Part::Whisker,
                accent,
                Outline::line(from, [side * 0.98, 0.46 + slope * 2.0], 0.03),
            );
        }
    }

    pen.draw(
        Part::Nose,
        accent,
        Outline::polygon([[-0.12, 0.34], [0.12, 0.34], [0.0, 0.48]]),
    );
}
