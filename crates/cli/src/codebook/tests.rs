use schema::{Declaration, Origin};

use super::*;
use crate::schema_text;

fn written(csv: &str) -> Result<Vec<String>, String> {
    let table = Table::of_csv(csv).map_err(|error| format!("{error:#}"))?;
    let lines = lines(&table).map_err(|error| format!("{error:#}"))?;
    let text = schema_text::write(&[], Origin::Codebook, &lines);
    let read = Declaration::from_yaml(&text).map_err(|error| error.to_string());
    read.map_err(|error| format!("{error}: {text}"))?;
    let columns = text.lines().skip(1);
    let columns = columns.filter(|line| !line.starts_with('#') && !line.is_empty());
    Ok(columns.map(str::to_owned).collect())
}

#[test]
fn a_book_is_read_however_its_columns_are_called() {
    let plain = "name,type,min,max,values,label\n\
                 age,integer,0,120,,Age in years\n\
                 sex,category,,,1=male; 2=female,\n\
                 bmi,float,10,60,,\n\
                 born,date,1900,2020-12-31,,\n\
                 smoker,yes/no,,,,\n\
                 note,text,,,,\n";
    let columns = [
        "age: {integer: {min: 0, max: 120}}",
        "sex: {categories: [\"1\", \"2\"]}",
        "bmi: {number: {min: 10, max: 60}}",
        "born: {date: {min: 1900-01-01, max: 2020-12-31}}",
        "smoker: {boolean: true}",
        "note: discover",
    ];
    assert_eq!(written(plain).unwrap(), columns);
    let other = "Variable;Format;Range;Levels\n\
                 age;int;0 to 120;\n\
                 sex;factor;;1, male | 2, female\n\
                 bmi;numeric;[10, 60];\n\
                 born;Date;;\n";
    let columns = [columns[0], columns[1], columns[2], "born: discover"];
    assert_eq!(written(other).unwrap(), columns);
}

#[test]
fn codes_that_stand_for_no_value_are_missing() {
    let book = "field,type,minimum,maximum,codes\n\
                income,int,0,500000,-9=refused; -8=Don't know; 0=none\n\
                visits,int,,,1=one; 2=two or more; 9=unknown\n\
                when,datetime,2020,2021,\n";
    let columns = [
        "income: {integer: {min: 0, max: 500000}, nullable: true, missing: [\"-9\", \"-8\"]}",
        "visits: {categories: [\"1\", \"2\", \"9\"]}",
        "when: {datetime: {min: 2020-01-01T00:00:00, max: 2021-12-31T23:59:59}}",
    ];
    assert_eq!(written(book).unwrap(), columns);
}

#[test]
fn a_book_may_have_a_row_for_each_code() {
    let book = "variable,value,label\nsex,1,male\nsex,2,female\n,9,unknown\nage,0-99,Age\n";
    let columns = [
        "sex: {categories: [\"1\", \"2\", \"9\"]}",
        "age: {integer: {min: 0, max: 99}}",
    ];
    assert_eq!(written(book).unwrap(), columns);
}

#[test]
fn what_a_book_gets_wrong_is_said_with_its_row() {
    for (book, said) in [
        ("a,b\n1,2\n", "call it `name`"),
        (
            "name,type\nage,integers\n",
            "row 2: `age`: unknown type `integers`",
        ),
        ("name,type\nage,integers\n", "did you mean `integer`?"),
        ("name,type,min,max\nage,int,0,1.5\n", "`1.5` is not a bound"),
        (
            "name,type\nage,int\nsex,int\nage,int\n",
            "rows 2 and 4 are both about `age`",
        ),
        ("name,range\nage,young\n", "row 2: `young` is not a range"),
        ("name,type\n,int\n", "row 2 names no variable"),
    ] {
        let error = written(book).unwrap_err();
        assert!(error.contains(said), "{book}: {error}");
    }
}

#[test]
fn forms_of_dates_are_read_as_people_write_them() {
    for (format, pattern) in [
        ("DD/MM/YYYY", "%d/%m/%Y"),
        ("yyyy-mm-dd hh:mm:ss", "%Y-%m-%d %H:%M:%S"),
        ("d MMM yyyy", "%d %b %Y"),
    ] {
        assert_eq!(pattern_of(format), pattern);
    }
}
