use super::*;

#[test]
fn windows_without_records_or_with_gaps_are_refused() {
    assert_eq!(Counted::tumbling(0), Err(WindowError::NoRecords { size: 0, every: 0 }));
    assert_eq!(Counted::new(3, 0), Err(WindowError::NoRecords { size: 3, every: 0 }));
    let message = Counted::new(3, 4).unwrap_err().to_string();
    assert_eq!(
        message,
        "windows of 3 records every 4 would leave gaps: `every` must not be more than the size"
    );
}
