// What is put into the page: elements ask for their addresses as soon as they have them, so these are changed on their way in,
// as attributes, as properties, and in the text of HTML and of styles. (Watching the document would be too late.)
import { css, list, srcset, toHub } from "./addresses.js";
import { argument, replace, wrap, wrapProperty } from "./patching.js";

const LINKS = "a area link base use image script feimage";
/** Attributes that hold addresses: what changes them, and of which elements; of all where none are named. */
const ATTRIBUTES = {
  __proto__: null,
  src: [toHub, "img script iframe frame embed video audio source track input"],
  href: [toHub, LINKS],
  "xlink:href": [toHub, LINKS],
  action: [toHub, "form"],
  formaction: [toHub, "button input"],
  poster: [toHub, "video"],
  data: [toHub, "object"],
  background: [toHub, "body table td th"],
  ping: [list, "a area"],
  srcset: [srcset, "img source"],
  imagesrcset: [srcset, "link"],
  srcdoc: [html, "iframe"],
  style: [css],
};
for (const rule of Object.values(ATTRIBUTES)) rule[1] &&= new Set(rule[1].split(" "));

/** The properties that stand for them. */
const PROPERTIES = {
  HTMLAnchorElement: ["href", "ping"],
  HTMLAreaElement: ["href", "ping"],
  HTMLBaseElement: ["href"],
  HTMLButtonElement: ["formAction"],
  HTMLEmbedElement: ["src"],
  HTMLFormElement: ["action"],
  HTMLIFrameElement: ["src", "srcdoc"],
  HTMLImageElement: ["src", "srcset"],
  HTMLInputElement: ["src", "formAction"],
  HTMLLinkElement: ["href", "imageSrcset"],
  HTMLMediaElement: ["src"],
  HTMLObjectElement: ["data"],
  HTMLScriptElement: ["src"],
  HTMLSourceElement: ["src", "srcset"],
  HTMLTrackElement: ["src"],
  HTMLVideoElement: ["poster"],
};

const TAG = /<([a-z][^\s/>]*)(?:[^"'>]|"[^"]*"|'[^']*')*/gi;
const ATTRIBUTE = /([\s"'/]([a-z:]+)\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)/gi;
const HAS_ADDRESS = /=\s*["']?\s*(?:[/\\]|https?:|\S*\.\.)|srcset|url\(/i;

/** A piece of HTML with the addresses in its tags changed. Only a path is put into it, so it says nothing that it did not say. */
function html(text) {
  if (typeof text !== "string" || !HAS_ADDRESS.test(text)) return text;
  return text.replace(TAG, (tag, element) =>
    tag.replace(ATTRIBUTE, (whole, before, name, value) => {
      const change = changeOf(element.toLowerCase(), name.toLowerCase());
      if (change === undefined) return whole;
      const quote = /^["']/.exec(value)?.[0] ?? "";
      return before + quote + change(quote ? value.slice(1, -1) : value) + quote;
    }),
  );
}

function changeOf(element, name) {
  const rule = ATTRIBUTES[name];
  return rule === undefined || rule[1]?.has(element) === false ? undefined : rule[0];
}

function attribute(args, element, at) {
  const name = args[at];
  // Most are none of these, and none of these is longer.
  if (typeof name !== "string" || name.length > 11 || args[at + 1] === null) return args;
  const change = changeOf(element?.localName?.toLowerCase(), name.toLowerCase());
  return change === undefined ? args : args.with(at + 1, change(args[at + 1]));
}

/** Attributes of elements that came another way, when it comes to the use of them. */
function correct(element, ...names) {
  for (const name of names) {
    const value = element?.getAttribute(name);
    if (value) element.setAttribute(name, value);
  }
}

function onClick(event) {
  correct(event.composedPath()[0]?.closest?.("a[href], area[href]"), "href");
}

function onSubmit({ target, submitter }) {
  correct(target, "action");
  correct(submitter, "formaction");
}

export function patchElements() {
  const { Element, Document, HTMLFormElement, HTMLStyleElement, ShadowRoot } = globalThis;
  wrap(Element.prototype, "setAttribute", (args, self) => attribute(args, self, 0));
  wrap(Element.prototype, "setAttributeNS", (args, self) => attribute(args, self, 1));
  for (const [name, properties] of Object.entries(PROPERTIES))
    for (const property of properties)
      wrapProperty(globalThis[name]?.prototype, property, { write: ATTRIBUTES[property.toLowerCase()][0] });
  for (const { prototype } of [Element, ShadowRoot]) {
    wrapProperty(prototype, "innerHTML", { write: html });
    wrapProperty(prototype, "outerHTML", { write: html });
    wrap(prototype, "setHTMLUnsafe", argument(0, html));
  }
  wrap(Element.prototype, "insertAdjacentHTML", argument(1, html));
  wrap(Range.prototype, "createContextualFragment", argument(0, html));
  for (const name of ["write", "writeln"])
    wrap(Document.prototype, name, (args) =>
      args.every((one) => typeof one === "string") ? [html(args.join(""))] : args,
    );
  wrap(globalThis, "Audio", argument(0, toHub));
  for (const name of ["submit", "requestSubmit"])
    replace(HTMLFormElement.prototype, name, (native, self, args) => {
      onSubmit({ target: self, submitter: args[0] });
      return Reflect.apply(native, self, args);
    });
  addEventListener("click", onClick, true);
  addEventListener("auxclick", onClick, true);
  addEventListener("submit", onSubmit, true);
  patchStyles(HTMLStyleElement);
}

function patchStyles(HTMLStyleElement) {
  const sheet = CSSStyleSheet.prototype;
  for (const name of ["insertRule", "replace", "replaceSync"]) wrap(sheet, name, argument(0, css));
  wrap(sheet, "addRule", argument(1, css));
  wrap(CSSGroupingRule.prototype, "insertRule", argument(0, css));
  const style = CSSStyleDeclaration.prototype;
  wrap(style, "setProperty", argument(1, css));
  // Its other properties are no properties of the class in Chromium: nothing can stand in their place.
  wrapProperty(style, "cssText", { write: css });
  wrap(globalThis, "FontFace", argument(1, css));
  // Of the element itself, so that the text of all others is set as ever.
  const text = Object.getOwnPropertyDescriptor(Node.prototype, "textContent");
  Object.defineProperty(HTMLStyleElement.prototype, "textContent", text);
  wrapProperty(HTMLStyleElement.prototype, "textContent", { write: css });
}
