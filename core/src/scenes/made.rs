//! Drawings of things people make: house, car, boat, rocket.

use super::outlines::Outline;
use super::palette::Rgb;
use super::pen::{Part, Pen};

/// Walls under a pitched roof with a chimney, a door on one side, a window or two beside it.
pub(super) fn house(pen: &mut Pen, [main, second, accent, detail]: [Rgb; 4]) {
    let (half, eaves) = (pen.vary(0.68, 0.84), pen.vary(-0.22, -0.02));
    let ridge = pen.vary(0.0, 0.3);
    // Later parts cover earlier ones: the chimney stands behind the roof.
    pen.draw(
        Part::Roof,
        accent,
        Outline::block([half * 0.62, -0.65], [0.11, 0.32], 0.02),
    );
    pen.draw(
        Part::Wall,
        main,
        Outline::block(
            [0.0, (eaves + 0.95) / 2.0],
            [half, (0.95 - eaves) / 2.0],
            0.03,
        ),
    );
    let roof = [
        [-half - 0.16, eaves],
        [-ridge, -0.95],
        [ridge, -0.95],
        [half + 0.16, eaves],
    ];
    pen.draw(Part::Roof, second, Outline::polygon(roof));

    let (door, height) = (pen.vary(-0.6, -0.4) * half, pen.vary(0.28, 0.34));
    pen.draw(
        Part::Door,
        accent,
        Outline::block([door, 0.94 - height], [0.17, height], 0.03),
    );
    let windows = pen.count(1, 2);
    let middle = (door + 0.17 + half) / 2.0;
    for i in 0..windows {
        let x = middle
            + if windows == 2 {
                0.2 * (f32::from(i) * 2.0 - 1.0)
            } else {
                0.0
            };
        let width = if windows == 2 { 0.15 } else { 0.24 };
        pen.draw(
            Part::Window,
            detail,
            Outline::block([x, eaves + 0.4], [width, 0.2], 0.02),
        );
    }
}

/// A long body with a cabin on top, windows, two wheels and a headlight.
pub(super) fn car(pen: &mut Pen, [main, second, accent, detail]: [Rgb; 4]) {
    let (top, belt, wheel) = (
        pen.vary(-0.72, -0.56),
        pen.vary(-0.16, -0.06),
        pen.vary(0.22, 0.28),
    );
    let (rear, front) = (pen.vary(-0.85, -0.65), pen.vary(0.4, 0.6));
    // It reaches under the body, which is drawn later, so that no gap opens.
    let cabin = [
        [rear, belt + 0.1],
        [rear + 0.18, top],
        [front - 0.28, top],
        [front, belt + 0.1],
    ];
    pen.draw(Part::Body, main, Outline::polygon(cabin));

    let middle = (rear + front) / 2.0 - 0.03;
    let (above, below) = (top + 0.12, belt - 0.02);
    let back = [
        [rear + 0.15, below],
        [rear + 0.26, above],
        [middle - 0.05, above],
        [middle - 0.05, below],
    ];
    let fore = [
        [middle + 0.05, below],
        [middle + 0.05, above],
        [front - 0.33, above],
        [front - 0.14, below],
    ];
    pen.draw(Part::Window, detail, Outline::polygon(back));
    pen.draw(Part::Window, detail, Outline::polygon(fore));

    pen.draw(
        Part::Body,
        main,
        Outline::block(
            [0.0, (belt + 0.42) / 2.0],
            [0.98, (0.42 - belt) / 2.0],
            0.13,
        ),
    );
    pen.draw(
        Part::Light,
        accent,
        Outline::ellipse([0.88, belt + 0.2], [0.08, 0.1]),
    );

    for x in [-0.55, 0.55] {
        pen.draw(Part::Wheel, second, Outline::disc([x, 0.42], wheel));
        pen.draw(Part::Wheel, accent, Outline::disc([x, 0.42], wheel * 0.45));
    }
}

/// A hull with a mast, a large and a small sail, a flag on top.
pub(super) fn boat(pen: &mut Pen, [main, second, accent, detail]: [Rgb; 4]) {
    let (deck, mast, top) = (
        pen.vary(0.36, 0.48),
        pen.vary(-0.1, 0.1),
        pen.vary(-0.85, -0.76),
    );

    pen.draw(
        Part::Mast,
        accent,
        Outline::line([mast, deck], [mast, -0.94], 0.045),
    );
    let flag = [
        [mast + 0.03, -0.98],
        [mast + 0.36, -0.89],
        [mast + 0.03, -0.8],
    ];
    pen.draw(Part::Flag, detail, Outline::polygon(flag));

    let (stern, bow) = (pen.vary(0.62, 0.8), pen.vary(0.5, 0.66));
    let foot = deck - 0.1;
    pen.draw(
        Part::Sail,
        second,
        Outline::polygon([
            [mast - 0.09, foot],
            [mast - 0.09, top],
            [mast - stern, foot],
        ]),
    );
    pen.draw(
        Part::Sail,
        second,
        Outline::polygon([
            [mast + 0.09, foot],
            [mast + 0.09, top + 0.3],
            [mast + bow, foot],
        ]),
    );

    let keel = pen.vary(0.45, 0.6);
    pen.draw(
        Part::Hull,
        main,
        Outline::polygon([
            [-0.95, deck],
            [0.97, deck],
            [keel, 0.93],
            [-keel - 0.1, 0.93],
        ]),
    );
    pen.draw(
        Part::Hull,
        detail,
        Outline::line([-0.78, deck + 0.17], [0.76, deck + 0.17], 0.045),
    );
}

/// An upright body with a pointed nose, fins at the foot, round windows and a flame below.
pub(super) fn rocket(pen: &mut Pen, [main, second, accent, detail]: [Rgb; 4]) {
    let (half, foot, neck) = (
        pen.vary(0.27, 0.34),
        pen.vary(0.46, 0.54),
        pen.vary(-0.46, -0.34),
    );

    let flame = pen.vary(0.9, 1.0);
    let edge = half * 0.75;
    let tongues = [
        [-edge, foot],
        [-edge * 0.9, 0.72],
        [-0.1, 0.66],
        [0.0, flame],
        [0.1, 0.66],
        [edge * 0.9, 0.72],
    ];
    pen.draw(
        Part::Flame,
        accent,
        Outline::polygon([&tongues[..], &[[edge, foot]]].concat()),
    );

    // Fins reach under the body, which is drawn later.
    let (span, drop) = (pen.vary(0.62, 0.76), pen.vary(0.66, 0.8));
    for side in [-1.0, 1.0] {
        let fin = [
            [side * half * 0.8, 0.02],
            [side * span, 0.45],
            [side * span, drop],
            [side * half * 0.8, foot],
        ];
        pen.draw(Part::Fin, second, Outline::polygon(fin));
    }

    let bulge = half + 0.06;
    let body = [
        [-half, neck],
        [half, neck],
        [bulge, 0.05],
        [half * 0.8, foot],
        [-half * 0.8, foot],
        [-bulge, 0.05],
    ];
    pen.draw(Part::Body, main, Outline::polygon(body));

    let nose = [
        [-half, neck],
        [-half * 0.62, neck - 0.3],
        [0.0, -0.98],
        [half * 0.62, neck - 0.3],
        [half, neck],
    ];
    pen.draw(Part::Nose, second, Outline::polygon(nose));

    let windows = pen.count(1, 2);
    for i in 0..windows {
        let y = -0.14 + 0.38 * f32::from(i);
        pen.draw(Part::Window, accent, Outline::disc([0.0, y], 0.19));
        pen.draw(Part::Window, detail, Outline::disc([0.0, y], 0.12));
    }
}
