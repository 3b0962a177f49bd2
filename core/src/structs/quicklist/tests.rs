use super::*;
use crate::structs::allocation::footprint;
use proptest::prelude::*;

fn element(text: &[u8]) -> Element<'_> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
    match number.filter(|number| number.to_string().as_bytes() == text) {
        Some(number) => Element::Int(number),
        None => Element::Bytes(text),
    }
}

fn texts(list: &Quicklist) -> Vec<Vec<u8>> {
    all(list.iter_from(0, false))
}

fn all(mut iter: Iter<'_>) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| iter.next().map(Element::to_vec)).collect()
}

/// How many elements each chunk has; a plain one counts as zero.
fn counts(list: &Quicklist) -> Vec<usize> {
    let count = |chunk: &Chunk| match chunk {
        Chunk::Packed(packed) => packed.listpack().len(),
        Chunk::Coded(coded) => coded.count(),
        Chunk::Plain(_) => 0,
    };
    list.chunks().map(count).collect()
}

fn numbers(fill: i32, count: usize) -> Quicklist {
    let mut list = Quicklist::new(Fill::new(fill));
    (0..count).for_each(|number| list.push(End::Tail, Element::Int(number as i64)));
    list
}

/// What is counted against what is there.
fn check_sums(list: &Quicklist) {
    assert_eq!(list.chunks().map(Chunk::count).sum::<usize>(), list.len());
    assert_eq!(list.chunks().count(), list.chunk_count());
    let buffers: usize = list.chunks().map(Chunk::footprint).sum();
    assert!(list.footprint() >= buffers);
    let deques = list.chunk_count() * 4 * size_of::<Chunk>() + 4096;
    assert!(list.footprint() <= buffers + deques, "{} of {buffers}", list.footprint());
    for end in [list.spine.first(), list.spine.last()].into_iter().flatten() {
        assert!(!matches!(list.spine.get(end), Chunk::Coded(_)));
    }
    for chunk in list.chunks() {
        assert!(chunk.count() > 0);
        if let Chunk::Packed(packed) = chunk {
            assert_eq!(packed.listpack().iter().count(), chunk.count());
            assert_eq!(packed.listpack().len(), chunk.count());
        }
    }
}

#[test]
fn chunks_hold_as_many_elements_as_the_setting_says() {
    assert_eq!(counts(&numbers(4, 10)), [4, 4, 2]);
    assert_eq!(counts(&numbers(0, 3)), [1, 1, 1]);
    assert_eq!(numbers(100_000, 10_000).fill(), Fill::new(32_767));
    assert_eq!(Fill::new(-9), Fill::new(-5));
}

/// What DEBUG OBJECT says of `ql_nodes` in redis-server 7.0 after 3,000 times `RPUSH l x`.
#[test]
fn chunks_are_as_large_as_those_of_redis() {
    for (setting, size_max) in [(-1, 4096), (-2, 8192), (-5, 65_536)] {
        let mut list = Quicklist::new(Fill::new(setting));
        (0..60_000).for_each(|_| list.push(End::Tail, Element::Bytes(b"x")));
        // Three bytes each, and Redis wants 8 + 1 free before it adds one.
        let per_chunk = (size_max - 7 - 9) / 3 + 1;
        assert_eq!(counts(&list)[0], per_chunk);
    }
}

#[test]
fn a_split_leaves_chunks_that_do_not_fit_together() {
    let mut list = numbers(4, 12);
    list.insert(5, true, Element::Bytes(b"new"));
    assert_eq!(counts(&list), [4, 2, 3, 4]);
    list.insert(5, true, Element::Bytes(b"more"));
    assert_eq!(counts(&list), [4, 3, 3, 4]);
    list.insert(0, false, Element::Bytes(b"first"));
    assert_eq!(counts(&list), [1, 4, 3, 3, 4]);
}

#[test]
fn an_insertion_at_the_edge_of_a_full_chunk_goes_to_its_neighbour() {
    let mut list = numbers(4, 6);
    list.insert(3, true, Element::Bytes(b"new"));
    assert_eq!(counts(&list), [4, 3]);
    list.insert(4, false, Element::Bytes(b"new"));
    assert_eq!(counts(&list), [4, 4]);
    list.insert(4, false, Element::Bytes(b"new"));
    assert_eq!(counts(&list), [4, 1, 4]);
}

#[test]
fn a_large_element_is_a_chunk_by_itself() {
    let fill = Fill { plain_from: 10, ..Fill::new(-2) };
    let mut list = Quicklist::new(fill);
    for text in [&b"a"[..], b"0123456789", b"b", b"c"] {
        list.push(End::Tail, element(text));
    }
    assert_eq!(counts(&list), [1, 0, 2]);
    list.insert(2, true, Element::Bytes(b"9876543210"));
    assert_eq!(counts(&list), [1, 0, 1, 0, 1]);
    list.replace(1, Element::Bytes(b"small"));
    assert_eq!(counts(&list), [1, 2, 0, 1]);
    list.replace(1, Element::Bytes(b"large again"));
    assert_eq!(texts(&list), [&b"a"[..], b"large again", b"b", b"9876543210", b"c"]);
    assert_eq!(counts(&list), [1, 0, 1, 0, 1]);
}

#[test]
fn chunks_away_from_the_ends_have_no_slack() {
    let mut list = Quicklist::new(Fill::new(-2));
    for number in 0..100_000 {
        let end = if number % 3 == 0 { End::Head } else { End::Tail };
        list.push(end, Element::Bytes(format!("element:{number}").as_bytes()));
    }
    let chunks: Vec<_> = list.chunks().collect();
    for chunk in &chunks[1..chunks.len() - 1] {
        assert!(chunk.footprint() <= footprint(chunk.size()), "{}", chunk.footprint());
    }
    check_sums(&list);
}

fn members(fill: i32, count: usize) -> Quicklist {
    let mut list = Quicklist::new(Fill::new(fill));
    for number in 0..count {
        list.push(End::Tail, Element::Bytes(format!("member:{number}").as_bytes()));
    }
    list
}

fn coded(list: &Quicklist) -> Vec<bool> {
    list.chunks().map(|chunk| matches!(chunk, Chunk::Coded(_))).collect()
}

#[test]
fn chunks_are_small_but_for_two_at_either_end() {
    let mut list = members(-2, 10_000);
    let is_coded = coded(&list);
    let inner = is_coded.len() - 4;
    assert!(inner > 10);
    assert_eq!(is_coded[..2], [false, false]);
    assert_eq!(is_coded[2 + inner..], [false, false]);
    assert!(is_coded[2..2 + inner].iter().all(|&is_coded| is_coded));
    let listpacks: usize = list.chunks().map(Chunk::size).sum();
    assert!(list.footprint() * 2 < listpacks);
    // What is written to is a listpack again, and so is what comes to an end.
    list.replace(5_000, Element::Bytes(b"new"));
    assert_eq!(coded(&list).iter().filter(|&&is_coded| is_coded).count(), inner - 1);
    list.remove(0, 3_000);
    assert!(!coded(&list)[0] && coded(&list)[1]);
    assert_eq!(list.at_end(End::Head), Some(Element::Bytes(b"member:3000")));
}

#[test]
fn the_depth_says_how_many_chunks_stay_as_they_are() {
    for (depth, open) in [(0, 2), (1, 2), (3, 3), (64, 64), (65, usize::MAX)] {
        let mut list = Quicklist::new(Fill::new(20));
        list.set_compress_depth(depth);
        for number in 0..4_000 {
            list.push(End::Head, Element::Bytes(format!("member:{number}").as_bytes()));
        }
        let is_coded = coded(&list);
        let expected = |at: usize| open <= at && at < is_coded.len().saturating_sub(open);
        assert!(is_coded.iter().enumerate().all(|(at, &is_coded)| is_coded == expected(at)));
    }
}

#[test]
fn a_long_list_is_freed_in_steps() {
    let mut list = numbers(1, 10_000);
    assert!(list.is_large());
    let mut steps = 0;
    while list.chunk_count() > 0 {
        let before = list.chunk_count();
        list.free_step();
        assert!(before - list.chunk_count() <= FREE_STEP_CHUNKS + 64);
        steps += 1;
    }
    assert!(steps >= 9);
    assert_eq!((list.len(), list.footprint()), (0, list.spine.footprint()));
}

#[derive(Clone, Debug)]
enum Step {
    Push(End, Vec<Vec<u8>>),
    Insert(prop::sample::Index, bool, Vec<u8>),
    Replace(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    RemoveEqual(prop::sample::Index, usize, bool),
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0u8..30).prop_map(|number| number.to_string().into()),
        4 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (100usize..3_000).prop_map(|len| vec![b'x'; len]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let place = any::<prop::sample::Index>;
    let end = || any::<bool>().prop_map(|head| if head { End::Head } else { End::Tail });
    prop_oneof![
        4 => (end(), prop::collection::vec(text(), 1..60))
            .prop_map(|(end, texts)| Step::Push(end, texts)),
        4 => (place(), any::<bool>(), text())
            .prop_map(|(at, behind, text)| Step::Insert(at, behind, text)),
        2 => (place(), text()).prop_map(|(at, text)| Step::Replace(at, text)),
        2 => (place(), prop_oneof![0usize..4, 0usize..200])
            .prop_map(|(at, count)| Step::Remove(at, count)),
        2 => (place(), 1usize..5, any::<bool>())
            .prop_map(|(at, limit, backwards)| Step::RemoveEqual(at, limit, backwards)),
    ]
}

fn remove_equal(twin: &mut Vec<Vec<u8>>, wanted: &[u8], limit: usize, backwards: bool) -> usize {
    let mut places: Vec<_> = (0..twin.len()).filter(|&at| twin[at] == wanted).collect();
    if backwards {
        places.reverse();
    }
    places.truncate(limit);
    places.sort_unstable();
    places.iter().rev().for_each(|&at| drop(twin.remove(at)));
    places.len()
}

fn apply(list: &mut Quicklist, twin: &mut Vec<Vec<u8>>, step: Step) {
    match step {
        Step::Push(end, texts) => {
            for text in texts {
                list.push(end, element(&text));
                twin.insert(if end == End::Head { 0 } else { twin.len() }, text);
            }
        }
        _ if twin.is_empty() => {}
        Step::Insert(at, behind, text) => {
            let at = at.index(twin.len());
            list.insert(at, behind, element(&text));
            twin.insert(at + usize::from(behind), text);
        }
        Step::Replace(at, text) => {
            let at = at.index(twin.len());
            assert!(list.replace(at, element(&text)));
            twin[at] = text;
        }
        Step::Remove(at, count) => {
            let at = at.index(twin.len());
            list.remove(at, count);
            twin.drain(at..twin.len().min(at + count));
        }
        Step::RemoveEqual(at, limit, backwards) => {
            let wanted = twin[at.index(twin.len())].clone();
            let gone = list.remove_equal(element(&wanted), limit, backwards);
            assert_eq!(gone, remove_equal(twin, &wanted, limit, backwards));
        }
    }
}

proptest! {
    #[test]
    fn it_is_a_sequence(
        setting in prop_oneof![Just(-1), Just(-2), Just(1), Just(3), Just(20), Just(100)],
        plain_from in prop_oneof![Just(1u32 << 30), Just(20)],
        len in prop_oneof![Just(0usize), 200usize..400],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut list = members(setting, len);
        list.set_fill(Fill { plain_from, ..Fill::new(setting) });
        let mut twin = texts(&list);
        for step in steps {
            apply(&mut list, &mut twin, step);
            prop_assert_eq!(list.len(), twin.len());
            check_sums(&list);
        }
        prop_assert_eq!(&texts(&list), &twin);
        for (at, text) in twin.iter().enumerate() {
            let found = list.with(at, |element| element.to_vec());
            prop_assert_eq!(found.as_ref(), Some(text));
        }
        prop_assert_eq!(list.with(twin.len(), |element| element.to_vec()), None);
        let at = twin.len() / 3;
        let ahead = all(list.iter_from(at, false));
        prop_assert_eq!(&ahead[..], &twin[at..]);
        let back = all(list.iter_from(at, true));
        let expected: Vec<_> = twin.iter().take(at + 1).rev().cloned().collect();
        prop_assert_eq!(back, expected);
    }
}
