// Which options of the palette are meant by what somebody types, and in which order.
"use strict";
(() => {
  const wordsIn = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const known = new WeakMap();

  function factsOf(option) {
    if (!known.has(option)) {
      const { title, text = "" } = option.dataset;
      const titleWords = wordsIn(title);
      known.set(option, {
        title: title.toLowerCase(),
        titleWords,
        initials: titleWords.map((word) => word[0]).join(""),
        text: text.toLowerCase(),
        textWords: wordsIn(text),
      });
    }
    return known.get(option);
  }

  function isScattered(word, title) {
    let at = -1;
    return [...word].every((character) => (at = title.indexOf(character, at + 1)) !== -1);
  }

  /** How well a word fits; 0 where it does not. */
  function wordScore(word, { title, titleWords, initials, text, textWords }) {
    if (title.startsWith(word)) return 100;
    if (titleWords.some((one) => one.startsWith(word))) return 80;
    if (word.length > 1 && initials.startsWith(word)) return 70;
    if (title.includes(word)) return 60;
    if (textWords.some((one) => one.startsWith(word))) return 40;
    if (text.includes(word)) return 30;
    return word.length > 2 && isScattered(word, title) ? 10 : 0;
  }

  function score(option, words) {
    const scores = words.map((word) => wordScore(word, factsOf(option)));
    return scores.includes(0) ? 0 : scores.reduce((sum, one) => sum + one, 0);
  }

  function best(all, words) {
    return all
      .map((option) => [option, score(option, words)])
      .filter(([, points]) => points > 0)
      .sort(([, a], [, b]) => b - a)
      .map(([option]) => option);
  }

  /** `best`: of options, those that every word fits, the best first, else as they came. `wordsIn`: of a text, in lower case. */
  Object.assign(window.orchestrator, { best, wordsIn });
})();
