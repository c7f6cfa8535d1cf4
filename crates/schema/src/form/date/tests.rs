use super::*;
use proptest::prelude::*;

fn day(pattern: &str, field: &str) -> Option<String> {
    let form = DateForm::new(pattern).unwrap();
    form.day(field.as_bytes()).map(|day| day.to_string())
}

fn moment(pattern: &str, field: &str) -> Option<String> {
    let form = DateForm::new(pattern).unwrap();
    form.moment(field.as_bytes())
        .map(|moment| moment.to_string())
}

#[test]
fn dates_are_read_in_their_form_alone() {
    for (pattern, field, expected) in [
        ("%d/%m/%Y", "31/12/2020", Some("2020-12-31")),
        ("%d/%m/%Y", "3/4/2020", Some("2020-04-03")),
        ("%m/%d/%Y", "3/4/2020", Some("2020-03-04")),
        ("%m/%d/%Y", "31/12/2020", None),
        ("%d/%m/%Y", "31/12/2020 ", None),
        ("%d/%m/%Y", "31-12-2020", None),
        ("%d/%m/%Y", "29/2/2019", None),
        ("%d/%m/%Y", "31/12/20", None),
        ("%-d.%-m.%Y", "03.04.2020", Some("2020-04-03")),
        ("%Y%m%d", "20200304", Some("2020-03-04")),
        ("%Y%m%d", "2020034", None),
        ("%y%m%d", "690304", Some("1969-03-04")),
        ("%y%m%d", "680304", Some("2068-03-04")),
        ("%d %b %Y", "3 MAR 2020", Some("2020-03-03")),
        ("%d-%b-%Y", "03-Mar-2020", Some("2020-03-03")),
        ("%B %d, %Y", "march 3, 2020", Some("2020-03-03")),
        ("%b %d, %Y", "March 3, 2020", None),
        ("%e %b %Y", " 3 Mar 2020", Some("2020-03-03")),
        ("%Y-%j", "2020-366", Some("2020-12-31")),
        ("%Y-%j", "2019-366", None),
        ("%Y-%j", "2019-0", None),
        ("100%% %Y/%m/%d", "100% 2020/01/02", Some("2020-01-02")),
        ("%Y-%m-%d %H:%M", "2020-01-02 24:00", None),
        ("%Y-%m-%d %H:%M", "2020-01-02 23:59", Some("2020-01-02")),
        (
            "%Y-%m-%dT%H:%M%z",
            "2020-01-02T23:30-01:00",
            Some("2020-01-03"),
        ),
    ] {
        assert_eq!(
            day(pattern, field).as_deref(),
            expected,
            "{pattern} of {field:?}"
        );
    }
}

#[test]
fn moments_are_converted_to_utc() {
    for (pattern, field, expected) in [
        (
            "%Y-%m-%dT%H:%M:%S%z",
            "2020-01-02T10:30:05Z",
            Some("2020-01-02T10:30:05"),
        ),
        (
            "%Y-%m-%dT%H:%M:%S%z",
            "2020-01-02T10:30:05+01:30",
            Some("2020-01-02T09:00:05"),
        ),
        (
            "%Y-%m-%dT%H:%M:%S%z",
            "2020-01-01T00:00:00+01",
            Some("2019-12-31T23:00:00"),
        ),
        (
            "%Y-%m-%dT%H:%M:%S%z",
            "2020-01-01T00:00:00-0330",
            Some("2020-01-01T03:30:00"),
        ),
        ("%Y-%m-%dT%H:%M:%S%z", "2020-01-01T00:00:00", None),
        ("%Y-%m-%dT%H:%M:%S%z", "2020-01-01T00:00:00+16:00", None),
        ("%Y-%m-%dT%H:%M:%S%z", "2020-01-01T00:00:00+01:", None),
        (
            "%Y-%m-%d %H:%M:%S.%f",
            "2020-01-01 00:00:01.5",
            Some("2020-01-01T00:00:01"),
        ),
        (
            "%m/%d/%Y %I:%M %p",
            "1/2/2020 12:05 am",
            Some("2020-01-02T00:05:00"),
        ),
        (
            "%m/%d/%Y %I:%M %p",
            "1/2/2020 12:05 PM",
            Some("2020-01-02T12:05:00"),
        ),
        (
            "%m/%d/%Y %I:%M %p",
            "1/2/2020 1:05 PM",
            Some("2020-01-02T13:05:00"),
        ),
        ("%m/%d/%Y %I:%M %p", "1/2/2020 0:05 PM", None),
        ("%m/%d/%Y %I:%M %p", "1/2/2020 13:05 PM", None),
        ("%m/%d/%Y", "1/2/2020", None),
    ] {
        assert_eq!(
            moment(pattern, field).as_deref(),
            expected,
            "{pattern} of {field:?}"
        );
    }
}

#[test]
fn what_a_pattern_lacks_or_cannot_have_is_told() {
    for (pattern, said) in [
        ("%d/%m", "\"%d/%m\" lacks the year (%Y)"),
        ("%Y-%m", "\"%Y-%m\" lacks the day (%d)"),
        ("%Y-%d", "\"%Y-%d\" lacks the month (%m)"),
        (
            "%Y-%m-%d %I:%M",
            "\"%Y-%m-%d %I:%M\" lacks AM or PM (%p) for the hour of 12",
        ),
        ("%Y-%m-%d %H", "\"%Y-%m-%d %H\" lacks the minute (%M)"),
        ("%Y-%m-%d %M", "\"%Y-%m-%d %M\" lacks the hour (%H)"),
        ("%Y-%m-%d%z", "\"%Y-%m-%d%z\" lacks the hour (%H)"),
        (
            "%Y-%m-%d %y",
            "\"%Y-%m-%d %y\" has the year twice; keep one",
        ),
        ("%Y-%j-%d", "\"%Y-%j-%d\" has the day twice; keep one"),
    ] {
        assert_eq!(DateForm::new(pattern).unwrap_err().to_string(), said);
    }
    for (pattern, directive) in [("%A %d", "%A"), ("%Q", "%Q"), ("%-Y", "%-Y"), ("%d%", "%")] {
        let FormError::Unsupported {
            directive: named, ..
        } = DateForm::new(pattern).unwrap_err()
        else {
            panic!("{pattern}");
        };
        assert_eq!(named, directive);
    }
    assert!(matches!(
        DateForm::new("%Y-%m-%d\u{200b}"),
        Err(FormError::Hidden { .. })
    ));
    assert!(matches!(
        DateForm::new("%Y-%m-%d\""),
        Err(FormError::Quote { .. })
    ));
    assert_eq!(DateForm::new(&"%Y".repeat(99)), Err(FormError::TooLong));
}

#[test]
fn a_form_of_two_digit_years_cannot_write_all() {
    let form = DateForm::new("%d/%m/%y").unwrap();
    for (day, can) in [
        ("1968-12-31", false),
        ("1969-01-01", true),
        ("2068-12-31", true),
        ("2069-01-01", false),
    ] {
        assert_eq!(form.can_write(day.parse().unwrap()), can, "{day}");
    }
}

#[test]
fn zeros_are_written_as_the_form_has_them() {
    let day = "2020-03-04".parse().unwrap();
    for (pattern, expected) in [
        ("%d/%m/%Y", "04/03/2020"),
        ("%-d/%-m/%y", "4/3/20"),
        ("%e %B %Y", " 4 March 2020"),
        ("%d-%b-%Y", "04-Mar-2020"),
        ("%Y-%j", "2020-064"),
        ("%Y%m%d %I:%M%p", "20200304 12:00AM"),
        ("%Y-%m-%dT%H:%M:%S.%3f%:z", "2020-03-04T00:00:00.000+00:00"),
    ] {
        let mut written = Vec::new();
        DateForm::new(pattern).unwrap().write_day(day, &mut written);
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }
    let form = DateForm::new("%d/%m/%Y").unwrap();
    assert_eq!(form.unpadded().unwrap().pattern(), "%-d/%-m/%Y");
    assert!(form.is_as_written(b"04/03/2020") && !form.is_as_written(b"4/3/2020"));
    assert!(form.unpadded().unwrap().is_as_written(b"4/3/2020"));
    assert_eq!(DateForm::new("%Y%m%d").unwrap().unpadded(), None);
}

#[test]
fn a_form_is_stored_as_its_pattern() {
    let form = DateForm::new("%d/%m/%Y").unwrap();
    let stored = serde_json::to_string(&form).unwrap();
    assert_eq!(stored, "\"%d/%m/%Y\"");
    assert_eq!(serde_json::from_str::<DateForm>(&stored).unwrap(), form);
    assert!(serde_json::from_str::<DateForm>("\"%d/%m\"").is_err());
}

proptest! {
    #[test]
    fn what_a_usual_form_writes_it_reads_back(second in -31_536_000i64..3_124_223_999) {
        let moment = Moment::from_number(second).unwrap();
        let (day, second) = moment.split();
        for form in DateForm::usual() {
            for form in form.unpadded().into_iter().chain([form]) {
                let mut written = Vec::new();
                form.write_moment(moment, &mut written);
                prop_assert_eq!(form.day(&written), Some(day), "{}", form);
                prop_assert!(form.is_as_written(&written), "{}", form);
                let seconds = if form.has_seconds() { second } else { second / 60 * 60 };
                let midnight = i64::from(day.number()) * SECONDS_OF_DAY;
                let expected = form.has_time().then_some(midnight + seconds);
                let found = form.moment(&written).map(Moment::number);
                prop_assert_eq!(found, expected, "{}", form);
            }
        }
    }

    #[test]
    fn no_field_is_too_strange(field: Vec<u8>) {
        for form in DateForm::usual() {
            let (day, moment) = (form.day(&field), form.moment(&field));
            prop_assert!(day.is_some() || moment.is_none());
        }
    }
}

#[test]
fn a_part_that_is_the_same_in_all_dates_stands_for_itself() {
    let check = |pattern: &str, unit: Unit, expected: Option<&str>| {
        let form = DateForm::new(pattern).unwrap().of_whole(unit);
        assert_eq!(form.as_ref().map(DateForm::pattern), expected, "{pattern}");
    };
    check("%Y-%m-%d", Unit::Month, Some("%Y-%m-01"));
    check("%Y-%m-%d", Unit::Day, None);
    check("%e %b %Y", Unit::Month, Some(" 1 %b %Y"));
    check("%Y-%m-%d %H:%M:%S", Unit::Hour, Some("%Y-%m-%d %H:00:00"));
    check("%Y-%m-%d %H:%M", Unit::Day, Some("%Y-%m-%d 00:00"));
    check("%Y-%m-%d %H:%M", Unit::Month, Some("%Y-%m-01 00:00"));
    check("%m/%d/%Y %I:%M %p", Unit::Hour, None);
    check("%Y-%m-%dT%H:%M%:z", Unit::Hour, None);
    let order = |pattern: &str| DateForm::new(pattern).unwrap().order();
    assert_eq!(order("01/%m/%Y"), Some("day first"));
    assert_eq!(order("%m/01/%Y"), Some("month first"));
    assert_eq!(order("%Y-%m-01"), None);
    assert!(DateForm::new("%Y-%m").is_err());
    assert!(DateForm::new("%Y-%m-%d %H").is_err());

    let months = DateForm::new("%Y-%m-01").unwrap();
    let day: Day = "2020-03-17".parse().unwrap();
    let mut text = Vec::new();
    months.write_day(day, &mut text);
    assert_eq!(text, b"2020-03-01");
    assert_eq!(months.day(&text), Some(months.told_day(day)));
    assert_eq!(months.day(b"2020-03-17"), None);

    let hours = DateForm::new("%Y-%m-%d %H:00:00").unwrap();
    let moment = hours.moment(b"2020-03-17 15:00:00").unwrap();
    let later = Moment::from_number(moment.number() + 1234).unwrap();
    assert_eq!(hours.told_moment(later), moment);
    assert_eq!(hours.moment(b"2020-03-17 15:01:00"), None);
}
