({
  /** The words in the elements of a selector that go over more than one line. */
  brokenWords(places) {
    const broken = [];
    for (const place of document.querySelectorAll(places)) {
      const texts = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const text = texts.currentNode;
        if (getComputedStyle(text.parentElement).writingMode !== "horizontal-tb") continue;
        for (const word of text.data.matchAll(/[^\s/-]+/g)) {
          const range = document.createRange();
          range.setStart(text, word.index);
          range.setEnd(text, word.index + word[0].length);
          const boxes = [...range.getClientRects()].filter(({ width }) => width);
          if (new Set(boxes.map(({ top }) => Math.round(top))).size > 1) broken.push(word[0]);
        }
      }
    }
    return broken;
  },

  /** The texts of cells that are wider than their cell, and so run into the next one. */
  cutTexts() {
    const isCut = (cell) => cell.clientWidth && cell.scrollWidth > cell.clientWidth + 1;
    return [...document.querySelectorAll("td, th")]
      .filter((cell) => isCut(cell) && getComputedStyle(cell).overflowX === "visible")
      .map((cell) => cell.innerText);
  },

  /** The visible texts whose contrast with the colour behind them is below 4.5, as WCAG 2 computes it. */
  lowContrasts() {
    const channelsOf = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
    const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const luminance = (channels) => {
      const [red, green, blue] = channels.map((value) => linear(value / 255));
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = channelsOf(getComputedStyle(at).backgroundColor);
        if (colour.length === 3 || colour[3] === 1) return colour;
      }
      return [255, 255, 255];
    };
    const found = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode.data.trim();
      const element = texts.currentNode.parentElement;
      if (!text || !element.checkVisibility() || element.closest("noscript, script")) continue;
      const both = [luminance(channelsOf(getComputedStyle(element).color)), luminance(behind(element))];
      const ratio = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
      if (ratio < 4.5) found.push(`${text}: ${ratio.toFixed(2)}`);
    }
    return found;
  },
});
