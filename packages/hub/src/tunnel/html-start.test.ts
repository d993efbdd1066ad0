import { describe, expect, it } from "vitest";
import { findHead } from "./html-start.ts";

/** Where the script would stand, shown by a bar. */
function shown(text: string): string {
  const search = findHead(text);
  return search.found === "here" ? `${text.slice(0, search.at)}|${text.slice(search.at)}` : search.found;
}

describe("the head of a document", () => {
  it.each(
    [
      "<!doctype html><html><head>|<title>a</title>",
      '<!DOCTYPE html>\n<html lang="en" data-x="a > b">\n  <head prefix=\'>\'>|<meta charset="utf-8">',
      "\u00ef\u00bb\u00bf<!doctype html>\n<!-- a > comment --><HTML\n><!----><HEAD/>|",
      "<!-->|<head-line>",
      "<!--->|text",
      "<!-- a --!>|<p>",
      "<?xml version='1.0'?><!doctype html><head>|",
      '<html lang=a"b><head>|',
      "<html lang = 'x>'><head>|",
      // There is no tag for it: it begins where anything else begins.
      "<!doctype html>|<title>a</title><p>b",
      "<!doctype html><html>|<body>",
      "<html>|<header>",
      "|<html5>",
      "|text <head>",
      "|</head>",
      "|<",
    ].map((text) => [text.endsWith("|<") ? `${text} ` : text]),
  )("begins at the bar in %j", (text) => {
    expect(shown(text.replace("|", ""))).toBe(text);
  });

  it.each([
    ["", 0],
    [" \n", 2],
    ["<!doctype html", 0],
    ["<!doctype html><", 15],
    ["<!doctype html><!", 15],
    ["<html><he", 6],
    ["<html><head", 6],
    ['<html><head data-a="', 6],
    ["<html><!-- <head>", 6],
    ["<html><!-- a -->", 16],
    ["<html lang='", 0],
    ["<?xml", 0],
  ])("may still come after %j, of which %i bytes are read", (text, before) => {
    expect(findHead(text)).toEqual({ found: "not_yet", before });
  });

  it("is not searched for where a character has two bytes", () => {
    for (const text of ["\u00ff\u00fe<\0h\0", "\u00fe\u00ff\0<\0h"]) expect(shown(text)).toBe("never");
  });

  it("is the same wherever the document is cut in two", () => {
    const text = `\n<!doctype html><!-- a --> <html lang="a>b" x='"'>\n<head data-y=1>`;
    for (let cut = 0; cut < text.length; cut++) {
      const first = findHead(text.slice(0, cut));
      if (first.found !== "not_yet") throw new Error(`found in ${JSON.stringify(text.slice(0, cut))}`);
      expect(findHead(text.slice(first.before))).toEqual({ found: "here", at: text.length - first.before });
    }
  });

  it("is given up in linear time where it never comes", () => {
    for (const unit of ["<!--", '<html a="', "<html =", " <!x", "<html a= '"]) {
      findHead(unit.repeat(4096));
    }
  });
});
