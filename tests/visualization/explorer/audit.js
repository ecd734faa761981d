// Accessibility checks: contrast of all text, names, sizes, overflow.
() => {
  const probe = document.createElement('canvas')
    .getContext('2d', { willReadFrequently: true });
  const rgba = (css) => {
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = css;
    probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => colour.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    throw new Error('nothing behind');
  };
  const texts = [...document.querySelectorAll('body *')].filter((e) =>
    e.checkVisibility() && !e.closest('script') && [...e.childNodes].some(
      (node) => node.nodeType === 3 && node.textContent.trim()));
  const contrasts = texts.map((e) => {
    const style = getComputedStyle(e);
    const ink = e.closest('svg') ? style.fill : style.color;
    const [a, b] = [luminance(rgba(ink)), luminance(behind(e))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.trim()];
  });
  const controls = [...document.querySelectorAll('button, input, select, summary')]
    .filter((e) => e.checkVisibility());
  const named = (e) => e.ariaLabel || [...(e.labels ?? [])]
    .map((label) => label.textContent.trim()).join('') || e.textContent.trim();
  return {
    paper: getComputedStyle(document.body).backgroundColor,
    texts: texts.length,
    faint: contrasts.filter(([ratio]) => ratio < 4.5),
    nameless: controls.filter((e) => !named(e)).map((e) => e.outerHTML),
    pictures: [...document.querySelectorAll('[role=img]')]
      .filter((e) => e.checkVisibility() && !e.ariaLabel).length,
    small: controls.map((e) => e.closest('label') ?? e)
      .filter((e) => e.getBoundingClientRect().height < 40).map((e) => e.outerHTML),
    overflow: document.documentElement.scrollWidth - innerWidth,
    stops: controls.filter((e) => e.type !== 'radio' || e.checked).length,
  };
}
