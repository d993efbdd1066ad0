/** What instances may call themselves: names that mean ill, or are merely long. */
export const HOSTILE_NAMES: Readonly<Record<string, string>> = {
  HTML: `<img src=x onerror="alert(1)"><script>alert(2)</script></li><h1>`,
  "a partial": `<hx-partial hx-target="body" hx-swap="innerHTML">gone</hx-partial>`,
  attributes: `" onmouseover="alert(3)" data-x='`,
  "a template": "{{7*7}} ${7*7} <%= 7 %>",
  JSON: `{"target":"body","swap":"innerHTML","content":"gone"}`,
  "right to left": "\u202egnp.exe \u2067 \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u2069",
  emoji: "\u{1f469}\u200d\u{1f4bb}\u{1f680}\u{1f1e9}\u{1f1ea} \u{1f9d1}\u{1f3ff}",
  "300 characters": "very-long-name-".repeat(20),
  "one 255 character word": "w".repeat(255),
  "a null and a bell": "a\u0000b\u0007c",
  "half a character": "x\ud83dy",
  spaces: "   \n\t  ",
  "accents on accents": `Z${"\u0324\u0348\u031d".repeat(40)}algo`,
};
