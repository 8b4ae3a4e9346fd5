//! Registers into values and back: vectors from public documents, and every form in every order.

use proptest::prelude::*;

use super::*;
use crate::model::Wall;
use crate::profile::modbus::{Bits, Table};

fn spot(form: Form) -> Spot {
    Spot {
        table: Table::Holding,
        at: 100,
        count: form.registers().unwrap_or(4),
        form,
        bits: None,
        order: Order::BIG,
        write: None,
        read_back: false,
    }
}

fn ordered(form: Form, order: &str) -> Spot {
    Spot { order: Order::read(order).unwrap(), ..spot(form) }
}

fn bits(form: Form, from: u8, to: u8) -> Spot {
    Spot { bits: Some(Bits { from, to }), ..spot(form) }
}

fn value(spot: &Spot, words: &[u16]) -> Value {
    read(spot, Got::Words(words)).unwrap()
}

fn time(year: i16, month: i8, day: i8, hour: i8, minute: i8, second: i8, milli: i32) -> Value {
    let at = jiff::civil::DateTime::new(year, month, day, hour, minute, second, milli * 1_000_000).unwrap();
    Value::Time(Wall(at.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_millisecond() as u64))
}

#[test]
fn what_makers_print_in_their_manuals_is_read_so() {
    // Eastron SDM630 Modbus protocol: the answer 43 66 33 34 is 230.2 V.
    let volts = value(&spot(Form::F32), &[0x4366, 0x3334]).number().unwrap();
    assert!((volts - 230.2).abs() < 1e-4, "{volts}");
    // PZEM-014/016 manual: 08 98 03 E8 00 00 08 98 00 00 …: 220.0 V, 1.000 A, 220.0 W, the lower register first.
    let pzem = [0x0898, 0x03e8, 0x0000, 0x0898, 0x0000];
    assert_eq!(value(&spot(Form::U16), &pzem[..1]), Value::Uint(2_200));
    assert_eq!(value(&ordered(Form::U32, "cdab"), &pzem[1..3]), Value::Uint(1_000));
    assert_eq!(value(&ordered(Form::U32, "cdab"), &pzem[3..]), Value::Uint(2_200));
    // IEEE 754: pi.
    assert_eq!(value(&spot(Form::F64), &[0x4009, 0x21fb, 0x5444, 0x2d18]), Value::Float(std::f64::consts::PI));
}

#[test]
fn each_order_is_what_its_letters_say() {
    for (order, words) in
        [("abcd", [0x0a0b, 0x0c0d]), ("cdab", [0x0c0d, 0x0a0b]), ("badc", [0x0b0a, 0x0d0c]), ("dcba", [0x0d0c, 0x0b0a])]
    {
        assert_eq!(value(&ordered(Form::U32, order), &words), Value::Uint(0x0a0b_0c0d), "{order}");
    }
    for (order, words) in [
        ("abcd", [0x0102, 0x0304, 0x0506, 0x0708]),
        ("cdab", [0x0708, 0x0506, 0x0304, 0x0102]),
        ("badc", [0x0201, 0x0403, 0x0605, 0x0807]),
        ("dcba", [0x0807, 0x0605, 0x0403, 0x0201]),
        ("abcdefgh", [0x0102, 0x0304, 0x0506, 0x0708]),
        ("ghefcdab", [0x0708, 0x0506, 0x0304, 0x0102]),
        ("cdabghef", [0x0304, 0x0102, 0x0708, 0x0506]),
        ("efghabcd", [0x0506, 0x0708, 0x0102, 0x0304]),
        ("hgfedcba", [0x0807, 0x0605, 0x0403, 0x0201]),
    ] {
        assert_eq!(value(&ordered(Form::U64, order), &words), Value::Uint(0x0102_0304_0506_0708), "{order}");
    }
    assert_eq!(value(&ordered(Form::U16, "ba"), &[0x0b0a]), Value::Uint(0x0a0b));
    assert_eq!(value(&ordered(Form::Text, "ba"), &[0x6241, 0x0063, 0, 0]), Value::text("Abc"));
    assert_eq!(value(&ordered(Form::U8High, "dcba"), &[0x0b0a]), Value::Uint(0x0b), "a half is where it stands");
}

#[test]
fn parts_digits_and_signs_are_told_apart() {
    assert_eq!(value(&bits(Form::U16, 4, 7), &[0xabcd]), Value::Uint(0xc));
    assert_eq!(value(&bits(Form::U16, 3, 3), &[0x0008]), Value::Bool(true));
    assert_eq!(value(&bits(Form::U16, 3, 3), &[0xfff7]), Value::Bool(false));
    assert_eq!(value(&bits(Form::U32, 12, 19), &[0x000f, 0xf000]), Value::Uint(0xff));
    assert_eq!(value(&bits(Form::U64, 0, 63), &[0xffff; 4]), Value::Uint(u64::MAX));
    assert_eq!(value(&spot(Form::I8High), &[0xff7f]), Value::Int(-1));
    assert_eq!(value(&spot(Form::I8Low), &[0xff80]), Value::Int(-128));
    assert_eq!(value(&spot(Form::I16), &[0x8000]), Value::Int(-32_768));
    assert_eq!(value(&spot(Form::I64), &[0xffff; 4]), Value::Int(-1));
    assert_eq!(value(&spot(Form::Bcd16), &[0x1234]), Value::Uint(1_234));
    assert_eq!(value(&spot(Form::Bcd32), &[0x9999, 0x9999]), Value::Uint(99_999_999));
    assert_eq!(read(&spot(Form::Bcd16), Got::Words(&[0x12a4])), Err(Unread::Digits(0x12a4)));
    let coil = Spot { table: Table::Coil, ..spot(Form::U16) };
    assert_eq!(read(&coil, Got::Bits(&[true])), Ok(Value::Bool(true)));
}

#[test]
fn a_text_ends_at_its_zero_and_loses_its_blanks() {
    for (words, wanted) in [
        ([0x4142, 0x4300, 0x5858, 0], "ABC"),
        ([0x4142, 0x2020, 0x2020, 0x2020], "AB"),
        ([0, 0x4142, 0, 0], ""),
        ([0x41b0, 0x4300, 0, 0], "A°C"),
        ([0xffff; 4], ""),
    ] {
        assert_eq!(value(&spot(Form::Text), &words), Value::text(wanted));
    }
}

#[test]
fn times_are_read_as_they_are_packed() {
    let wanted = time(2024, 2, 29, 23, 59, 58, 0);
    assert_eq!(value(&spot(Form::YmdHms), &[2024, 2, 29, 23, 59, 58]), wanted);
    assert_eq!(value(&spot(Form::YmdHms), &[24, 2, 29, 23, 59, 58]), wanted, "the century may be left out");
    assert_eq!(value(&spot(Form::YmdHmsBytes), &[0x1802, 0x1d17, 0x3b3a]), wanted);
    assert_eq!(value(&spot(Form::YmdHmsBcd), &[0x2402, 0x2923, 0x5958]), wanted);
    assert_eq!(value(&spot(Form::Unix32), &[0x65e1, 0x1a7e]), wanted);
    // Year, then month with day of the week and day, hour and minute, milliseconds.
    let cp56 = value(&spot(Form::Cp56), &[24, 0x029d, 0x173b, 58_250]);
    assert_eq!(cp56, time(2024, 2, 29, 23, 59, 58, 250));
    for words in [[24, 0x02_1e, 0x173b, 0], [24, 0x02_1d, 0x17bb, 0], [24, 0x02_1d, 0x183b, 0], [0xffff; 4]] {
        assert!(matches!(read(&spot(Form::Cp56), Got::Words(&words)), Err(Unread::Time(_))), "{words:x?}");
    }
}

#[test]
fn what_has_not_the_asked_length_is_no_value() {
    for got in [Got::Words(&[]), Got::Words(&[1, 2, 3]), Got::Bits(&[true, false])] {
        assert!(matches!(read(&spot(Form::U32), got), Err(Unread::Count { wanted: 2, .. })));
    }
    let coil = Spot { table: Table::Coil, ..spot(Form::U16) };
    assert!(read(&coil, Got::Words(&[1])).is_err() && read(&coil, Got::Bits(&[])).is_err());
}

#[test]
fn what_does_not_fit_is_refused_and_never_cut() {
    let refused =
        |spot: &Spot, value: Value| assert!(matches!(write(spot, &value), Err(Unwritten::Fit { .. })), "{value}");
    refused(&spot(Form::U16), Value::Uint(65_536));
    refused(&spot(Form::U16), Value::Int(-1));
    refused(&spot(Form::I16), Value::Int(32_768));
    refused(&spot(Form::U32), Value::Float(1.5));
    refused(&spot(Form::F32), Value::Float(1e39));
    refused(&spot(Form::F64), Value::Float(f64::NAN));
    refused(&spot(Form::Bcd16), Value::Uint(10_000));
    refused(&bits(Form::U16, 4, 7), Value::Uint(16));
    refused(&spot(Form::I8Low), Value::Int(128));
    refused(&spot(Form::Text), Value::text("123456789"));
    refused(&spot(Form::Text), Value::text("blank "));
    refused(&spot(Form::Bytes), Value::Bytes(vec![1, 2].into()));
    refused(&spot(Form::Unix32), time(2200, 1, 1, 0, 0, 0, 0));
    refused(&spot(Form::Cp56), time(1999, 12, 31, 0, 0, 0, 0));
    let input = Spot { table: Table::Input, ..spot(Form::U16) };
    assert_eq!(write(&input, &Value::Uint(1)), Err(Unwritten::OnlyRead("input")));
    assert!(write(&spot(Form::U16), &Value::Float(5.0)).is_ok(), "people write 5 for 5.0");
}

#[test]
fn the_profile_says_how_it_goes_out() {
    let as_said = |spot: Spot, way| write(&Spot { write: way, ..spot }, &Value::Uint(5)).unwrap();
    let one = Writing::Register { at: 100, value: 5 };
    assert_eq!(as_said(spot(Form::U16), None), one);
    assert_eq!(as_said(spot(Form::U16), Some(Way::Mask)), one, "a mask is for parts");
    assert_eq!(as_said(spot(Form::U16), Some(Way::Multiple)), Writing::Registers { at: 100, values: vec![5] });
    assert_eq!(as_said(spot(Form::U32), Some(Way::Single)), Writing::Registers { at: 100, values: vec![0, 5] });
    let coil = |way| write(&Spot { table: Table::Coil, write: way, ..spot(Form::U16) }, &Value::Bool(true)).unwrap();
    assert_eq!(coil(None), Writing::Coil { at: 100, on: true });
    assert_eq!(coil(Some(Way::Multiple)), Writing::Coils { at: 100, on: vec![true] });
}

#[test]
fn what_stands_beside_a_part_stays() {
    let part = |spot: Spot, value: Value| write(&spot, &value).unwrap();
    let four = part(bits(Form::U16, 4, 7), Value::Uint(0x5));
    assert_eq!(four.clone().over(&[0xabcd]), Some(Writing::Register { at: 100, value: 0xab5d }));
    assert_eq!(four.over(&[0xabcd, 0]), None);
    assert_eq!(
        part(bits(Form::U16, 0, 0), Value::Bool(false)).over(&[0xffff]),
        Some(Writing::Register { at: 100, value: 0xfffe })
    );
    assert_eq!(
        part(ordered(Form::U8High, "dcba"), Value::Uint(0x12)).over(&[0xabcd]),
        Some(Writing::Register { at: 100, value: 0x12cd })
    );
    let across = Spot { order: Order::read("cdab").unwrap(), ..bits(Form::U32, 12, 19) };
    assert_eq!(
        part(across, Value::Uint(0xff)).over(&[0x0123, 0x4567]),
        Some(Writing::Registers { at: 100, values: vec![0xf123, 0x456f] })
    );
    // As the protocol defines function 22: what is kept and what is set.
    let mask = Spot { write: Some(Way::Mask), ..bits(Form::U16, 4, 7) };
    let Writing::Mask { at: 100, and, or } = part(mask, Value::Uint(0x5)) else { panic!("no mask") };
    assert_eq!((0xabcd & and) | (or & !and), 0xab5d);
}

fn orders() -> impl Strategy<Value = Order> {
    any::<(bool, bool, bool)>().prop_map(|(bytes, words, halves)| Order { letters: 8, bytes, words, halves })
}

fn some_value(form: Form) -> BoxedStrategy<Value> {
    let uint = |most: u64| (0..=most).prop_map(Value::Uint).boxed();
    match form {
        Form::U16 => uint(u16::MAX.into()),
        Form::U32 => uint(u32::MAX.into()),
        Form::U64 => uint(u64::MAX),
        Form::U8High | Form::U8Low => uint(255),
        Form::Bcd16 => uint(9_999),
        Form::Bcd32 => uint(99_999_999),
        Form::I16 => any::<i16>().prop_map(|n| Value::Int(n.into())).boxed(),
        Form::I32 => any::<i32>().prop_map(|n| Value::Int(n.into())).boxed(),
        Form::I64 => any::<i64>().prop_map(Value::Int).boxed(),
        Form::I8High | Form::I8Low => any::<i8>().prop_map(|n| Value::Int(n.into())).boxed(),
        Form::F32 => any::<f32>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| Value::Float(x.into())).boxed(),
        Form::F64 => any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Value::Float).boxed(),
        Form::Text => "[!-~]{0,8}".prop_map(|text| Value::text(&text)).boxed(),
        Form::Bytes => any::<[u8; 8]>().prop_map(|bytes| Value::Bytes(bytes.to_vec().into())).boxed(),
        Form::Unix64Ms | Form::Cp56 => {
            (946_684_800_000..4_102_444_800_000_u64).prop_map(|t| Value::Time(Wall(t))).boxed()
        }
        _ => (946_684_800..4_102_444_800_u64).prop_map(|t| Value::Time(Wall(t * 1_000))).boxed(),
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read_back_in_every_form_and_order(
        (form, value) in (0..Form::ALL.len()).prop_flat_map(|no| (Just(Form::ALL[no].1), some_value(Form::ALL[no].1))),
        order in orders(),
        before in any::<[u16; 6]>(),
    ) {
        let spot = Spot { order, ..spot(form) };
        let before = &before[..usize::from(spot.count)];
        let words = match write(&spot, &value).unwrap().over(before).unwrap() {
            Writing::Register { value, .. } => vec![value],
            Writing::Registers { values, .. } => values,
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(super::read(&spot, Got::Words(&words)).unwrap(), value);
    }

    #[test]
    fn bits_are_read_back_and_no_other_has_changed(
        from in 0u8..64, wide in 0u8..64, given in any::<u64>(), before in any::<[u16; 4]>(), order in orders(),
    ) {
        let to = from.saturating_add(wide).min(63);
        let spot = Spot { order, ..bits(Form::U64, from, to) };
        let most = Bits { from, to }.most();
        let value = if from == to { Value::Bool(given & 1 == 1) } else { Value::Uint(given & most) };
        let Some(Writing::Registers { values, .. }) = write(&spot, &value).unwrap().over(&before) else { panic!("no write") };
        prop_assert_eq!(super::read(&spot, Got::Words(&values)).unwrap(), value);
        let all = |words: &[u16]| number(order, words) & !(most << from);
        prop_assert_eq!(all(&values), all(&before));
    }

    #[test]
    fn any_registers_are_read_and_what_comes_of_them_is_bounded(
        form in (0..Form::ALL.len()).prop_map(|no| Form::ALL[no].1), order in orders(), words in proptest::collection::vec(any::<u16>(), 0..130),
    ) {
        let count = form.registers().unwrap_or(words.len() as u16);
        if let Ok(value) = super::read(&Spot { order, count, ..spot(form) }, Got::Words(&words)) {
            prop_assert!(value.check().is_ok());
            prop_assert_eq!(value.kind(), form.kind());
        }
    }
}
