//! Reads the landing page's tables out of its HTML.

/// One row: a hashtag in a region, with the text of each cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    pub group: String,
    pub hashtag: String,
    pub views: String,
    pub posts: String,
    pub region: String,
    pub velocity: String,
    pub state: String,
    pub refreshed: String,
    pub next: String,
}

/// Every row of the page in its order. Cells that span rows are repeated in each.
pub fn rows(html: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut group = String::new();
    for part in html.split("<h2>").skip(1) {
        let (heading, table) = part.split_once("</h2>").expect("a heading ends");
        group.clear();
        group.push_str(text(heading).strip_prefix("Group ").expect("a heading names a group"));
        for hashtag in between(table, "<tbody>", "</tbody>") {
            rows.extend(rows_of(&group, hashtag));
        }
    }
    rows
}

/// The rows of one hashtag. Its name and its totals must span all of them.
fn rows_of(group: &str, tbody: &str) -> Vec<Row> {
    let lines: Vec<Vec<&str>> = between(tbody, "<tr>", "</tr>").map(|line| cells(line).collect()).collect();
    let [hashtag, views, posts, ..] = lines[0].as_slice() else { panic!("too few cells: {lines:?}") };
    for cell in [hashtag, views, posts] {
        let span = format!("rowspan=\"{}\"", lines.len());
        assert!(cell.contains(&span), "{cell:?} does not span {} rows", lines.len());
    }
    let row = |(number, line): (usize, &Vec<&str>)| {
        let own = if number == 0 { &line[3..] } else { &line[..] };
        let [region, velocity, state, refreshed, next] = own else { panic!("not five cells: {own:?}") };
        Row {
            group: group.to_owned(),
            hashtag: text(hashtag),
            views: text(views),
            posts: text(posts),
            region: text(region),
            velocity: text(velocity),
            state: text(state),
            refreshed: text(refreshed),
            next: text(next),
        }
    };
    lines.iter().enumerate().map(row).collect()
}

/// The cells of a row, each with its opening tag.
fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.split_inclusive("</td>").flat_map(|cell| cell.split_inclusive("</th>"))
}

fn between<'a>(html: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    html.split(open).skip(1).map(move |part| part.split_once(close).expect("what opens closes").0)
}

/// The text of a piece of HTML: tags dropped, character references resolved.
pub fn text(html: &str) -> String {
    let mut parts = html.split('<');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once('>').expect("a tag ends").1);
    }
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&nbsp;", "\u{a0}"), ("&amp;", "&")]
        .into_iter()
        .fold(text, |text, (reference, meant)| text.replace(reference, meant))
}
