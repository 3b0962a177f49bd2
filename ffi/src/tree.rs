//! Builds a reply's tree out of what a command writes, part by part. How the finished tree lies in
//! memory is `reply`'s.

use crate::boundary::Refusal;
use crate::reply::{Block, Reply, ReplyType};
use crate::status::Status;
use keyslot::error::Error;
use keyslot::resp::number::DoubleText;
use keyslot::resp::{Protocol, ReplySink};
use smallvec::SmallVec;

/// A reply sink that remembers what it is given, in the order of the wire.
pub(crate) struct TreeBuilder {
    nodes: SmallVec<[Node; 4]>,
    text: SmallVec<[u8; 256]>,
    protocol: Protocol,
    /// Whether an array holds what is written, though it be one reply or none.
    is_list: bool,
}

/// One reply or part of one, as it was written.
#[derive(Clone, Copy)]
struct Node {
    kind: ReplyType,
    number: Status,
    integer: i64,
    dval: f64,
    vtype: [u8; 3],
    /// How many of the replies that follow belong to this one.
    parts: usize,
    /// How much text there was before this node.
    text_at: usize,
    /// The length of this node's text, if it has one.
    text_len: Option<usize>,
    /// Where its parts are in the plan.
    links_at: usize,
    /// The node that holds this one's attribute.
    attribute: Option<usize>,
}

impl TreeBuilder {
    pub(crate) fn new() -> Self {
        Self {
            nodes: SmallVec::new(),
            text: SmallVec::new(),
            protocol: Protocol::Resp2,
            is_list: false,
        }
    }

    /// The tree of an error that kept a command from being carried out.
    pub(crate) fn refusal(refusal: &Refusal) -> *mut Reply {
        let mut tree = Self::new();
        tree.add_error(refusal.status, |text| text.extend_from_slice(&refusal.text));
        tree.finish()
    }

    /// Lets an array hold what was written: any number of replies.
    pub(crate) fn into_list(self) -> Self {
        Self { is_list: true, ..self }
    }

    /// Lays the tree out in one block. A command that wrote no reply gives a nil, one that wrote
    /// several an array of them.
    pub(crate) fn finish(mut self) -> *mut Reply {
        let (root, links) = self.plan();
        let mut block = Block::new(self.nodes.len(), links.len(), &self.text);
        for (number, &node) in links.iter().enumerate() {
            block.write_link(number, block.reply(place(node, root)));
        }
        for (number, node) in self.nodes.iter().enumerate() {
            block.write_reply(place(number, root), node.reply(&block, root));
        }
        block.into_root()
    }

    /// Finds out whose part each node is. Returns the root and, for all nodes with parts one after
    /// the other, the nodes that are their parts.
    fn plan(&mut self) -> (usize, SmallVec<[usize; 8]>) {
        let mut links = SmallVec::new();
        // From the last node to the first, what is open is what no node has claimed yet, so that
        // the parts of a node are the last ones to have been opened.
        let mut open: SmallVec<[usize; 8]> = SmallVec::new();
        for number in (0..self.nodes.len()).rev() {
            let node = &mut self.nodes[number];
            node.links_at = links.len();
            let rest = open.len().checked_sub(node.parts).expect("a reply has all its parts");
            links.extend(open.drain(rest..).rev());
            if node.kind == ReplyType::Attr {
                let described = *open.last().expect("an attribute is followed by a reply");
                self.nodes[described].attribute = Some(number);
            } else {
                open.push(number);
            }
        }
        if let [root] = open[..]
            && !self.is_list
        {
            return (root, links);
        }
        let kind = if open.is_empty() && !self.is_list { ReplyType::Nil } else { ReplyType::Array };
        self.add(Node { parts: open.len(), links_at: links.len(), ..Node::new(kind) });
        links.extend(open.into_iter().rev());
        (self.nodes.len() - 1, links)
    }

    fn add(&mut self, node: Node) {
        self.nodes.push(Node { text_at: self.text.len(), ..node });
    }

    /// Adds a node with its text, which `write` appends.
    fn add_text(&mut self, node: Node, write: impl FnOnce(&mut SmallVec<[u8; 256]>)) {
        let start = self.text.len();
        self.add(node);
        write(&mut self.text);
        let last = self.nodes.last_mut().expect("a node was just added");
        last.text_len = Some(self.text.len() - start);
        self.text.push(0);
    }

    fn add_error(&mut self, number: Status, write: impl FnOnce(&mut SmallVec<[u8; 256]>)) {
        self.add_text(Node { number, ..Node::new(ReplyType::Error) }, write);
    }

    /// Adds an aggregate that RESP2 knows only as an array.
    fn add_aggregate(&mut self, kind: ReplyType, parts: usize) {
        let kind = if self.is_resp3() { kind } else { ReplyType::Array };
        self.add(Node { parts, ..Node::new(kind) });
    }

    /// Adds a text that RESP2 knows only as a bulk string.
    fn add_scalar(&mut self, node: Node, text: &[u8]) {
        let node = if self.is_resp3() { node } else { Node::new(ReplyType::String) };
        self.add_text(node, |out| out.extend_from_slice(text));
    }

    fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }
}

/// Where a node goes in the block: the root first, the others in their order.
fn place(node: usize, root: usize) -> usize {
    match node.cmp(&root) {
        std::cmp::Ordering::Less => node + 1,
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Greater => node,
    }
}

impl Node {
    fn new(kind: ReplyType) -> Self {
        Self {
            kind,
            number: Status::Ok,
            integer: 0,
            dval: 0.0,
            vtype: [0; 3],
            parts: 0,
            text_at: 0,
            text_len: None,
            links_at: 0,
            attribute: None,
        }
    }

    /// This node as C sees it.
    fn reply(&self, block: &Block, root: usize) -> Reply {
        let [a, b, c] = self.vtype;
        let has_parts = self.parts > 0;
        Reply {
            r#type: self.kind,
            number: self.number,
            integer: self.integer,
            dval: self.dval,
            len: self.text_len.unwrap_or(0),
            str: self.text_len.map_or(std::ptr::null(), |_| block.text(self.text_at)),
            vtype: [a as _, b as _, c as _, 0],
            elements: self.parts,
            element: if has_parts { block.link(self.links_at) } else { std::ptr::null() },
            attribute: self
                .attribute
                .map_or(std::ptr::null(), |node| block.reply(place(node, root))),
        }
    }
}

impl ReplySink for TreeBuilder {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    fn mark(&self) -> usize {
        self.nodes.len()
    }

    fn rewind(&mut self, mark: usize) {
        if let Some(first) = self.nodes.get(mark) {
            self.text.truncate(first.text_at);
            self.nodes.truncate(mark);
        }
    }

    fn status(&mut self, text: &str) {
        let node = Node::new(ReplyType::Status);
        self.add_text(node, |out| out.extend_from_slice(text.as_bytes()));
    }

    fn error(&mut self, error: &Error) {
        let mut line = Vec::new();
        error.write_line(&mut line);
        self.add_error(error.kind().into(), |text| text.extend_from_slice(&line));
    }

    fn integer(&mut self, value: i64) {
        self.add(Node { integer: value, ..Node::new(ReplyType::Integer) });
    }

    fn bulk(&mut self, bytes: &[u8]) {
        let node = Node::new(ReplyType::String);
        self.add_text(node, |text| text.extend_from_slice(bytes));
    }

    fn null(&mut self) {
        self.add(Node::new(ReplyType::Nil));
    }

    fn null_array(&mut self) {
        self.null();
    }

    fn array(&mut self, len: usize) {
        self.add_aggregate(ReplyType::Array, len);
    }

    fn map(&mut self, pairs: usize) {
        self.add_aggregate(ReplyType::Map, 2 * pairs);
    }

    fn set(&mut self, len: usize) {
        self.add_aggregate(ReplyType::Set, len);
    }

    fn push(&mut self, len: usize) {
        self.add_aggregate(ReplyType::Push, len);
    }

    fn attribute(&mut self, pairs: usize) {
        self.add(Node { parts: 2 * pairs, ..Node::new(ReplyType::Attr) });
    }

    fn double(&mut self, value: f64) {
        let node = Node { dval: value, ..Node::new(ReplyType::Double) };
        self.add_scalar(node, DoubleText::new(value).as_bytes());
    }

    fn boolean(&mut self, value: bool) {
        let kind = if self.is_resp3() { ReplyType::Bool } else { ReplyType::Integer };
        self.add(Node { integer: i64::from(value), ..Node::new(kind) });
    }

    fn big_number(&mut self, digits: &[u8]) {
        self.add_scalar(Node::new(ReplyType::Bignum), digits);
    }

    fn verbatim(&mut self, format: &[u8; 3], text: &[u8]) {
        self.add_scalar(Node { vtype: *format, ..Node::new(ReplyType::Verb) }, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::keyslot_reply_free;
    use std::fmt::Write;

    /// A reply in one line, read through the pointers that C follows. Frees it.
    fn tree(protocol: Protocol, write: impl FnOnce(&mut TreeBuilder)) -> String {
        let mut builder = TreeBuilder::new();
        builder.set_protocol(protocol);
        write(&mut builder);
        let root = builder.finish();
        let mut line = String::new();
        // SAFETY: a finished reply lives until it is freed.
        unsafe {
            describe(&*root, &mut line);
            keyslot_reply_free(root);
        }
        line
    }

    fn describe(reply: &Reply, line: &mut String) {
        // SAFETY: the pointers of a reply lead to what its lengths say.
        unsafe {
            if let Some(attribute) = reply.attribute.as_ref() {
                describe(attribute, line);
                line.push('!');
            }
            write!(line, "{:?}", reply.r#type).unwrap();
            if !reply.str.is_null() {
                let text = std::slice::from_raw_parts(reply.str.cast::<u8>(), reply.len + 1);
                assert_eq!(text[reply.len], 0, "a text is followed by a NUL");
                write!(line, "'{}'", text[..reply.len].escape_ascii()).unwrap();
            }
            if reply.integer != 0 {
                write!(line, "{}", reply.integer).unwrap();
            }
            assert_eq!(reply.elements == 0, reply.element.is_null());
            for place in 0..reply.elements {
                line.push(if place == 0 { '(' } else { ' ' });
                describe(&**reply.element.add(place), line);
            }
            if reply.elements > 0 {
                line.push(')');
            }
        }
    }

    fn everything(out: &mut TreeBuilder) {
        out.array(5);
        out.map(1);
        out.bulk(b"k\0");
        out.set(2);
        out.integer(7);
        out.null();
        out.double(0.5);
        out.boolean(true);
        out.big_number(b"12");
        out.verbatim(b"txt", b"");
    }

    #[test]
    fn parts_are_found_in_their_order_in_both_versions() {
        assert_eq!(
            tree(Protocol::Resp3, everything),
            "Array(Map(String'k\\x00' Set(Integer7 Nil)) Double'0.5' Bool1 Bignum'12' Verb'')"
        );
        assert_eq!(
            tree(Protocol::Resp2, everything),
            "Array(Array(String'k\\x00' Array(Integer7 Nil)) String'0.5' Integer1 String'12' \
             String'')"
        );
    }

    #[test]
    fn an_attribute_hangs_on_the_reply_that_follows_it() {
        let whole = tree(Protocol::Resp3, |out| {
            out.attribute(1);
            out.bulk(b"a");
            out.integer(1);
            out.array(2);
            out.null();
            out.attribute(1);
            out.bulk(b"b");
            out.integer(2);
            out.ok();
        });
        assert_eq!(
            whole,
            "Attr(String'a' Integer1)!Array(Nil Attr(String'b' Integer2)!Status'OK')"
        );
    }

    #[test]
    fn no_reply_is_nil_and_several_are_an_array() {
        assert_eq!(tree(Protocol::Resp2, |_| {}), "Nil");
        let both = tree(Protocol::Resp2, |out| {
            out.array(1);
            out.integer(1);
            out.ok();
        });
        assert_eq!(both, "Array(Array(Integer1) Status'OK')");
        assert_eq!(tree(Protocol::Resp2, |out| out.array(0)), "Array");
    }

    #[test]
    fn rewinding_forgets_replies_with_their_texts() {
        let rest = tree(Protocol::Resp2, |out| {
            out.array(2);
            out.bulk(b"kept");
            let mark = out.mark();
            out.array(9);
            out.bulk(b"gone");
            out.rewind(mark);
            out.rewind(out.mark());
            out.error(&Error::SYNTAX);
        });
        assert_eq!(rest, "Array(String'kept' Error'ERR syntax error')");
    }

    #[test]
    #[should_panic = "a reply has all its parts"]
    fn a_reply_that_lacks_parts_is_caught() {
        tree(Protocol::Resp2, |out| out.array(1));
    }
}
