'use strict';

// The page has a single state: every update calls change(), and draw() renders it.

const byId = (id) => document.getElementById(id);
const read = (id) => JSON.parse(byId(id).textContent);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const calm = matchMedia('(prefers-reduced-motion: reduce)');

const about = read('about');
const [mapHeight, mapWidth] = about.map;
const [frameHeight, frameWidth] = about.frame;
const count = about.times.length;
const views = ['all', 'rgb', 'flow', 'overlay', 'tvl1'].filter(
  (view) => view !== 'tvl1' || about.tvl1,
);
const figures = new Map(
  [...document.querySelectorAll('[data-picture]')].map((figure) => [
    figure.dataset.picture,
    {
      figure,
      canvas: figure.querySelector('canvas'),
      marker: figure.querySelector('.marker'),
      title: figure.querySelector('b'),
      value: figure.querySelector('.value'),
    },
  ]),
);

const state = {
  frame: 0,
  channel: 0, // index into about.channels
  snapshot: about.iterations.length - 1,
  view: 'all',
  arrows: false,
  playing: false,
  place: [0.5, 0.5], // position of the marker, relative to the picture's width and height
};

// Colours: the same as flow_to_rgb of repflow_mm.visualization.

function hue(dx, dy) {
  const { wheel } = about;
  const turn = Math.atan2(-dy, -dx) / (2 * Math.PI) + 0.5;
  const position = (turn % 1) * wheel.length;
  const below = Math.floor(position) % wheel.length;
  const share = position - Math.floor(position);
  const next = wheel[(below + 1) % wheel.length];
  return wheel[below].map((value, k) => (1 - share) * value + share * next[k]);
}

/** RGBA of flow `dx, dy`, where speed 1 is full colour. */
function colour(dx, dy) {
  const saturation = Math.min(Math.hypot(dx, dy), 1);
  const mixed = hue(dx, dy).map((value) => 1 - saturation * (1 - value));
  return [...mixed.map((value) => Math.round(255 * value)), 255];
}

/** The same for overlays: the frame shows through where `colour` is white. */
function glaze(dx, dy) {
  const mixed = hue(dx, dy).map((value) => Math.round(255 * value));
  return [...mixed, Math.round(255 * Math.min(Math.hypot(dx, dy), 1))];
}

/** One kind of flow in the page: lookup of its colours and vectors. */
class Flow {
  constructor({ full, step, levels, cut }, [height, width]) {
    Object.assign(this, { full, step, levels, cut, height, width });
    this.digits = clamp(Math.ceil(-Math.log10(step)), 1, 4);
    this.tables = new Map();
    this.image = new ImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  /** Colours of all storable vectors. */
  table(paint) {
    if (!this.tables.has(paint)) {
      const side = 2 * this.levels + 1;
      const bytes = new Uint8ClampedArray(4 * side * side);
      const unit = this.step / this.full;
      for (let x = 0; x < side; x++) {
        for (let y = 0; y < side; y++) {
          const vector = [(x - this.levels) * unit, (y - this.levels) * unit];
          bytes.set(paint(...vector), 4 * (x * side + y));
        }
      }
      this.tables.set(paint, new Uint32Array(bytes.buffer));
    }
    return this.tables.get(paint);
  }

  /** Picture `index` of `stored`, one pixel per vector. */
  paint(context, stored, index, paint) {
    const table = this.table(paint);
    const { levels, pixels } = this;
    const side = 2 * levels + 1;
    let at = 2 * index * pixels.length;
    for (let i = 0; i < pixels.length; i++, at += 2) {
      pixels[i] = table[(stored[at] + levels) * side + stored[at + 1] + levels];
    }
    context.putImageData(this.image, 0, 0);
  }

  /** The vector at a position, and whether it was clipped when stored. */
  vector(stored, index, [x, y]) {
    const column = clamp(Math.floor(x * this.width), 0, this.width - 1);
    const row = clamp(Math.floor(y * this.height), 0, this.height - 1);
    const at = 2 * ((index * this.height + row) * this.width + column);
    const whole = [stored[at], stored[at + 1]];
    const cut = this.cut > 0 && whole.some((part) => Math.abs(part) === this.levels);
    return { dx: whole[0] * this.step, dy: whole[1] * this.step, cut };
  }
}

const flow = new Flow(about.flow, about.map);
const tvl1 = about.tvl1 && new Flow(about.tvl1, about.tvl1.map);

// Data: each part is unpacked on first use and cached.

const unpacked = new Map();

async function unpack(id) {
  const bytes = Uint8Array.from(atob(read(id)), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream();
  const inflated = stream.pipeThrough(new DecompressionStream('deflate'));
  unpacked.set(id, new Int8Array(await new Response(inflated).arrayBuffer()));
  byId(id).remove();
}

const encodedFrames = read('frames');
const frames = new Array(count);

async function loadFrame(index) {
  const image = new Image();
  image.src = `data:image/jpeg;base64,${encodedFrames[index]}`;
  await image.decode();
  frames[index] = image;
}

const channelData = (channel) => unpacked.get(`flow-${channel}`);
const flowIndex = () => state.snapshot * count + state.frame;

// Drawing

const small = document.createElement('canvas');

/** Draw flow over the whole `canvas`, interpolated or as cells, once it is unpacked. */
function drawFlow(canvas, kind, stored, index, paint, smooth) {
  if (!stored) return;
  small.width = kind.width;
  small.height = kind.height;
  kind.paint(small.getContext('2d'), stored, index, paint);
  const context = canvas.getContext('2d');
  context.imageSmoothingEnabled = smooth;
  context.imageSmoothingQuality = 'high';
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  if (state.arrows) drawArrows(canvas, kind, stored, index);
}

function drawFrame(canvas) {
  const context = canvas.getContext('2d');
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = 'high';
  if (frames[state.frame]) {
    context.drawImage(frames[state.frame], 0, 0, canvas.width, canvas.height);
  }
}

/** At most 16 arrows per row, each inside its cell; full colour fills the cell. */
function drawArrows(canvas, kind, stored, index) {
  const context = canvas.getContext('2d');
  const apart = Math.max(1, Math.ceil(kind.width / 16));
  const [cellX, cellY] = [canvas.width / kind.width, canvas.height / kind.height];
  const longest = apart * Math.min(cellX, cellY) * 0.95;
  const path = new Path2D();
  for (let y = apart >> 1; y + (apart >> 1) < kind.height; y += apart) {
    for (let x = apart >> 1; x + (apart >> 1) < kind.width; x += apart) {
      const place = [(x + 0.5) / kind.width, (y + 0.5) / kind.height];
      const { dx, dy } = kind.vector(stored, index, place);
      const speed = Math.hypot(dx, dy);
      const length = Math.min(speed / kind.full, 1) * longest;
      if (length < 0.06 * longest) continue;
      const [ux, uy] = [dx / speed, dy / speed];
      const fromX = place[0] * canvas.width - (ux * length) / 2;
      const fromY = place[1] * canvas.height - (uy * length) / 2;
      const [toX, toY] = [fromX + ux * length, fromY + uy * length];
      const head = Math.min(0.45 * length, 0.3 * longest);
      path.moveTo(fromX, fromY);
      path.lineTo(toX, toY);
      path.moveTo(toX - head * (ux - 0.6 * uy), toY - head * (uy + 0.6 * ux));
      path.lineTo(toX, toY);
      path.lineTo(toX - head * (ux + 0.6 * uy), toY - head * (uy - 0.6 * ux));
    }
  }
  const width = Math.max(1.25 * devicePixelRatio, longest / 16);
  context.lineCap = context.lineJoin = 'round';
  for (const [style, extra] of [['#ffffffc0', 2], ['#16181c', 0]]) {
    context.strokeStyle = style;
    context.lineWidth = width + extra * devicePixelRatio;
    context.stroke(path);
  }
}

/** Match a canvas to the screen's resolution; false if it is hidden. */
function fit(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const size = [width, height].map((side) => Math.round(side * devicePixelRatio));
  if (canvas.width !== size[0] || canvas.height !== size[1]) {
    [canvas.width, canvas.height] = size;
  }
  return width > 0;
}

const DIRECTIONS = ['right', 'up right', 'up', 'up left', 'left', 'down left', 'down', 'down right'];
const signed = (value, digits) =>
  `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;

function describe(kind, { dx, dy, cut }) {
  const speed = Math.hypot(dx, dy);
  const parts = `dx ${signed(dx, kind.digits)}  dy ${signed(dy, kind.digits)}`;
  if (speed === 0) return `${parts}\nno motion`;
  const angle = Math.round((Math.atan2(-dy, dx) * 180) / Math.PI + 360) % 360;
  const direction = DIRECTIONS[Math.round(angle / 45) % 8];
  const least = cut ? 'at least ' : '';
  return `${parts}\n${least}${speed.toFixed(kind.digits)} px/frame, ${direction} (${angle}°)`;
}

function drawPictures() {
  const stored = channelData(state.channel);
  const other = unpacked.get('tvl1');
  const number = about.channels[state.channel].number;
  const at = `at ${about.times[state.frame].toFixed(2)} s`;
  const draw = {
    rgb: (canvas) => drawFrame(canvas),
    flow: (canvas) => drawFlow(canvas, flow, stored, flowIndex(), colour, false),
    overlay: (canvas) => {
      drawFrame(canvas);
      drawFlow(canvas, flow, stored, flowIndex(), glaze, true);
    },
    tvl1: (canvas) => drawFlow(canvas, tvl1, other, state.frame, colour, false),
  };
  const place = [frameWidth, frameHeight].map((side, i) =>
    Math.min(Math.floor(state.place[i] * side), side - 1),
  );
  const vectors = {
    flow: stored && flow.vector(stored, flowIndex(), state.place),
    tvl1: other && tvl1.vector(other, state.frame, state.place),
  };
  const ours = vectors.flow ? describe(flow, vectors.flow) : '';
  const values = {
    rgb: `x ${place[0]}  y ${place[1]}\nof ${frameWidth} × ${frameHeight}`,
    flow: ours,
    overlay: ours,
    tvl1: vectors.tvl1 ? describe(tvl1, vectors.tvl1) : '',
  };
  figures.get('flow').title.textContent = `Flow of channel ${number}`;
  figures.get('overlay').title.textContent = `Flow of channel ${number} over RGB`;
  for (const [name, { canvas, marker, title, value }] of figures) {
    if (!fit(canvas)) continue;
    draw[name](canvas);
    canvas.setAttribute('aria-label', `${title.textContent} ${at}`);
    value.textContent = values[name];
    marker.style.left = `${100 * state.place[0]}%`;
    marker.style.top = `${100 * state.place[1]}%`;
  }
  drawWheelMarker(state.view === 'tvl1' ? vectors.tvl1 : vectors.flow);
}

function drawWheelMarker(vector) {
  if (!vector) return;
  const { full } = state.view === 'tvl1' ? tvl1 : flow;
  const shrink = Math.max(Math.hypot(vector.dx, vector.dy) / full, 1);
  const marker = document.querySelector('.wheel .marker');
  marker.style.left = `${50 + (50 * vector.dx) / full / shrink}%`;
  marker.style.top = `${50 + (50 * vector.dy) / full / shrink}%`;
}

function drawWheel() {
  const canvas = document.querySelector('.wheel canvas');
  const context = canvas.getContext('2d');
  const image = context.createImageData(canvas.width, canvas.height);
  const radius = canvas.width / 2;
  for (let y = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++) {
      const vector = [(x + 0.5) / radius - 1, (y + 0.5) / radius - 1];
      const inside = Math.hypot(...vector) <= 1;
      const shown = inside ? colour(...vector) : hue(...vector).map((v) => 255 * v);
      image.data.set([...shown.slice(0, 3), 255], 4 * (y * canvas.width + x));
    }
  }
  context.putImageData(image, 0, 0);
}

function drawThumbs() {
  for (const [channel, canvas] of thumbs.entries()) {
    const stored = channelData(channel);
    if (stored) {
      flow.paint(canvas.getContext('2d'), stored, flowIndex(), colour);
    }
  }
}

/** Mean change of the estimate since the previous snapshot. */
function drawChange() {
  const stored = channelData(state.channel);
  const before = state.snapshot - 1;
  let text = '';
  if (stored && before >= 0) {
    const size = mapHeight * mapWidth;
    const [now, then] = [state.snapshot, before].map(
      (snapshot) => 2 * (snapshot * count + state.frame) * size,
    );
    let sum = 0;
    for (let i = 0; i < 2 * size; i += 2) {
      sum += Math.hypot(
        stored[now + i] - stored[then + i],
        stored[now + i + 1] - stored[then + i + 1],
      );
    }
    const mean = ((sum / size) * flow.step).toFixed(3);
    text = `mean change of ${mean} px since iteration ${about.iterations[before]}`;
  }
  byId('change').textContent = text;
}

function draw() {
  document.body.dataset.view = state.view;
  document.body.classList.toggle('playing', state.playing);
  byId('play').setAttribute('aria-label', state.playing ? 'Pause' : 'Play');
  const time = `${about.times[state.frame].toFixed(2)} s`;
  const scrubber = byId('scrubber');
  scrubber.value = state.frame;
  scrubber.setAttribute('aria-valuetext', `frame ${state.frame + 1} of ${count}, ${time}`);
  byId('clock').children[0].textContent = time;
  byId('clock').children[1].textContent = `${state.frame + 1} of ${count}`;
  document.querySelector(`[name="view"][value="${state.view}"]`).checked = true;
  document.querySelectorAll('[name="channel"]')[state.channel].checked = true;
  byId('arrows').checked = state.arrows;
  const steps = about.iterations[state.snapshot];
  byId('snapshot').value = state.snapshot;
  byId('snapshot').setAttribute('aria-valuetext', `${steps} iterations`);
  byId('iterations-now').textContent = `${steps} of ${about.iterations.at(-1)}`;
  drawPictures();
  drawThumbs();
  drawChange();
  if (about.scores) drawNow();
}

let scheduled = false;

/** Update the state, and render it in the next animation frame. */
function change(changes = {}) {
  Object.assign(state, changes);
  if (!scheduled) {
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      draw();
    });
  }
}

// Playback: real time, looping.

const first = about.times[0];
const meanGap = count > 1 ? (about.times.at(-1) - first) / (count - 1) : 1;
const duration = about.times.at(-1) - first + meanGap;
let clock = 0;
let ticked = null;

const frameAt = (time) => Math.max(about.times.findLastIndex((t) => t <= time + 1e-6), 0);

function tick(now) {
  if (!state.playing) return;
  if (ticked !== null) {
    clock = (clock + ((now - ticked) / 1000) * Number(byId('speed').value)) % duration;
    const frame = frameAt(first + clock);
    if (frame !== state.frame && frames[frame]) change({ frame });
  }
  ticked = now;
  requestAnimationFrame(tick);
}

function play(playing = !state.playing) {
  if (playing === state.playing) return;
  clock = about.times[state.frame] - first;
  ticked = null;
  change({ playing });
  if (playing) requestAnimationFrame(tick);
}

function seek(frame) {
  play(false);
  change({ frame: clamp(frame, 0, count - 1) });
}

// Class scores

const SVG = 'http://www.w3.org/2000/svg';
const SERIES = 5;
const percent = about.scores?.values.flat().every((value) => value >= 0 && value <= 1);
const score = (value) => (percent ? `${(100 * value).toFixed(1)} %` : value.toFixed(2));
let plot = null;

function element(name, attributes, parent, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

/** Round up to 1, 2 or 5 times a power of ten. */
function roundStep(least) {
  const unit = 10 ** Math.floor(Math.log10(least));
  return unit * [1, 2, 5, 10].find((factor) => factor * unit >= least - 1e-9);
}

/** Lines through the centres of the windows, redrawn when the width changes. */
function drawPlot() {
  const svg = byId('plot');
  const { width, height } = svg.getBoundingClientRect();
  const { windows, names, values } = about.scores;
  const shown = Math.min(SERIES, names.length);
  const labels = width >= 460 ? Math.min(190, width * 0.34) : 8;
  const [left, right, top, bottom] = [40, width - labels, 8, height - 22];
  const start = Math.min(first, windows[0][0]);
  const end = Math.max(first + duration, windows.at(-1)[1]);
  const all = values.flatMap((row) => row.slice(0, shown));
  const low = Math.min(0, ...all);
  const high = percent ? clamp(Math.ceil(Math.max(...all) * 5) / 5, 0.2, 1) : Math.max(...all, low + 1e-6);
  const x = (time) => left + ((time - start) / (end - start)) * (right - left);
  const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
  svg.replaceChildren();
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('aria-label', `Scores of ${names.slice(0, shown).join(', ')} over time`);

  const window_ = element('rect', { class: 'window', y: top, height: bottom - top }, svg);
  for (const part of [0, 0.5, 1]) {
    const value = low + part * (high - low);
    element('line', { class: 'grid', x1: left, x2: right, y1: y(value), y2: y(value) }, svg);
    const label = percent ? `${Math.round(100 * value)} %` : value.toFixed(1);
    element('text', { x: left - 6, y: y(value) + 4, 'text-anchor': 'end' }, svg, label);
  }
  const gap = roundStep(((end - start) * 60) / (right - left));
  for (let n = Math.ceil(start / gap); n * gap <= end; n++) {
    const label = `${+(n * gap).toFixed(3)} s`;
    element('text', { x: x(n * gap), y: height - 5, 'text-anchor': 'middle' }, svg, label);
  }

  const centre = ([from, to]) => (from + to) / 2;
  const ends = [];
  for (let k = shown - 1; k >= 0; k--) {
    const points = windows.map((span, w) => [x(centre(span)), y(values[w][k])]);
    const path = [[x(windows[0][0]), points[0][1]], ...points, [x(windows.at(-1)[1]), points.at(-1)[1]]];
    const d = `M${path.map((point) => point.map((v) => v.toFixed(1))).join('L')}`;
    element('path', { class: `line series-${k}`, d }, svg);
    if (windows.length <= 24) {
      for (const [cx, cy] of points) {
        element('circle', { class: `dot series-${k}`, cx, cy, r: 3.5 }, svg);
      }
    }
    ends.push({ k, from: path.at(-1), at: path.at(-1)[1] });
  }
  if (labels > 8) drawNames(svg, ends, right, [top, bottom], labels);
  plot = {
    x,
    time: (pixel) => start + ((pixel - left) / (right - left)) * (end - start),
    cursor: element('line', { class: 'cursor', y1: top, y2: bottom }, svg),
    window: window_,
  };
}

/** Names at the ends of the lines, moved apart to avoid overlap. */
function drawNames(svg, ends, right, [top, bottom], room) {
  const apart = 16;
  ends.sort((a, b) => a.at - b.at);
  ends.forEach((end, i) => {
    end.at = Math.max(end.at, i ? ends[i - 1].at + apart : top + 4);
  });
  for (let i = ends.length - 1; i >= 0; i--) {
    const most = i === ends.length - 1 ? bottom - 2 : ends[i + 1].at - apart;
    ends[i].at = Math.min(ends[i].at, most);
  }
  for (const { k, from, at } of ends) {
    element('line', { class: `leader series-${k}`, x1: from[0] + 2, y1: from[1], x2: right + 10, y2: at }, svg);
    const name = about.scores.names[k];
    const fits = Math.floor((room - 14) / 7);
    const text = name.length > fits ? `${name.slice(0, fits - 1)}…` : name;
    const label = element('text', { class: `name series-${k}`, x: right + 13, y: at + 4 }, svg, text);
    element('title', {}, label, name);
  }
}

/** The window whose centre is closest to a time. */
function windowAt(time) {
  const far = about.scores.windows.map(([from, to]) => Math.abs((from + to) / 2 - time));
  return far.indexOf(Math.min(...far));
}

function drawNow() {
  const time = about.times[state.frame];
  const current = windowAt(time);
  const [from, to] = about.scores.windows[current];
  if (plot) {
    plot.cursor.setAttribute('x1', plot.x(time));
    plot.cursor.setAttribute('x2', plot.x(time));
    plot.window.setAttribute('x', plot.x(from));
    plot.window.setAttribute('width', Math.max(plot.x(to) - plot.x(from), 0));
  }
  const list = byId('now');
  if (list.dataset.window === String(current)) return;
  list.dataset.window = current;
  list.setAttribute('aria-label', `Best classes from ${from.toFixed(2)} to ${to.toFixed(2)} s`);
  const row = about.scores.values[current];
  const best = [...row.keys()].sort((a, b) => row[b] - row[a]).slice(0, SERIES);
  const most = Math.max(...row, 1e-9);
  list.replaceChildren(
    ...best.map((k) => {
      const item = document.createElement('li');
      if (k < SERIES) item.className = `series-${k}`;
      const bar = document.createElement('div');
      bar.className = 'bar';
      const filled = document.createElement('b');
      filled.style.width = `${clamp((100 * row[k]) / (percent ? 1 : most), 0, 100)}%`;
      bar.append(filled);
      const name = document.createElement('span');
      name.textContent = name.title = about.scores.names[k];
      const value = document.createElement('em');
      value.textContent = score(row[k]);
      item.append(document.createElement('i'), name, bar, value);
      return item;
    }),
  );
}

// Controls

const thumbs = about.channels.map(({ number, speed }, channel) => {
  const label = document.createElement('label');
  label.className = 'thumb';
  const input = document.createElement('input');
  Object.assign(input, { type: 'radio', name: 'channel', value: channel });
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width: mapWidth, height: mapHeight });
  const name = document.createElement('span');
  name.textContent = `channel ${number}`;
  const mean = document.createElement('small');
  mean.textContent = `${speed.toPrecision(2)} px`;
  label.append(input, canvas, name, mean);
  input.addEventListener('change', () => change({ channel }));
  document.querySelector('.thumbs').append(label);
  return canvas;
});

function setUp() {
  const seconds = `${first.toFixed(2)} to ${about.times.at(-1).toFixed(2)} s`;
  byId('facts').textContent = [
    `flow of ${about.layer}`,
    `${about.channels.length} ${about.channels.length === 1 ? 'channel' : 'channels'} of ${mapWidth} × ${mapHeight}`,
    `${count} frames of ${frameWidth} × ${frameHeight}`,
    seconds,
  ].join(', ');
  byId('full-flow').textContent =
    `full colour: ${flow.full.toFixed(flow.digits)} px/frame of the ${mapWidth} × ${mapHeight} map`;
  if (tvl1) {
    byId('full-tvl1').textContent =
      `TV-L1: ${tvl1.full.toFixed(tvl1.digits)} px/frame of the ${frameWidth} × ${frameHeight} frame`;
  } else {
    figures.get('tvl1').figure.remove();
    figures.delete('tvl1');
    document.querySelector('[name="view"][value="tvl1"]').closest('label').remove();
    byId('pictures').classList.add('two');
  }
  byId('precision').textContent = precision();
  document.body.style.setProperty('--aspect', frameWidth / frameHeight);
  byId('scrubber').max = count - 1;
  byId('snapshot').max = about.iterations.length - 1;
  byId('iterations').hidden = about.iterations.length === 1;
  byId('scores').hidden = !about.scores;
  document.querySelector('.ticks').append(
    ...about.iterations.map((steps) => {
      const tick = document.createElement('span');
      tick.textContent = steps;
      return tick;
    }),
  );
}

function precision() {
  const sentence = (name, { full, step, levels, cut, digits }) =>
    `${name} is stored in steps of ${step.toPrecision(2)} px; full colour is ` +
    `${full.toFixed(digits)} px, which at most one vector in a hundred exceeds` +
    (cut ? `; ${cut < 1e-4 ? 'less than 0.01' : (100 * cut).toFixed(2)} % of the components are beyond ${(levels * step).toFixed(digits)} px and clipped. ` : '. ');
  const left = about.left_out;
  return (
    sentence('Flow', flow) +
    (tvl1 ? sentence('TV-L1', tvl1) : '') +
    'Flow is from the frame shown to the next, +x right and +y down; 0° is right, 90° up.' +
    (left.length ? ` To keep the page small, iterations ${left.join(', ')} are omitted.` : '')
  );
}

/** Announce the effect of a key to screen readers. */
const say = (text) => {
  byId('status').textContent = text;
};

const stepChannel = (channel) => {
  channel = (channel + about.channels.length) % about.channels.length;
  change({ channel });
  say(`channel ${about.channels[channel].number}`);
};
const stepSnapshot = (by) => {
  const snapshot = clamp(state.snapshot + by, 0, about.iterations.length - 1);
  change({ snapshot });
  say(`${about.iterations[snapshot]} iterations`);
};
const stepView = () => {
  const view = views[(views.indexOf(state.view) + 1) % views.length];
  change({ view });
  say(document.querySelector(`[value="${view}"]`).parentElement.textContent.trim());
};
const moveMarker = (...steps) => {
  const place = [mapWidth, mapHeight].map((side, i) => {
    const cell = clamp(Math.floor(state.place[i] * side) + steps[i], 0, side - 1);
    return (cell + 0.5) / side;
  });
  change({ place });
  say(describe(flow, flow.vector(channelData(state.channel), flowIndex(), place)));
};

const KEYS = {
  ' ': () => play(),
  ArrowLeft: () => seek(state.frame - 1),
  ArrowRight: () => seek(state.frame + 1),
  Home: () => seek(0),
  End: () => seek(count - 1),
  ArrowUp: () => stepChannel(state.channel - 1),
  ArrowDown: () => stepChannel(state.channel + 1),
  '[': () => stepSnapshot(-1),
  ']': () => stepSnapshot(1),
  m: stepView,
  a: () => change({ arrows: !state.arrows }),
};
const MARKER_KEYS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Whether the focused control has a use of its own for the key. */
function ownKey({ target, key }) {
  if (target.matches('select')) return true;
  if (target.matches('#snapshot')) return key.startsWith('Arrow') || key === 'Home' || key === 'End';
  if (target.matches('[name="view"]')) return key === 'ArrowUp' || key === 'ArrowDown';
  return key === ' ' && target.matches('button, summary, [type="checkbox"]');
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || ownKey(event)) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.shiftKey && MARKER_KEYS[key]) moveMarker(...MARKER_KEYS[key]);
  else if (KEYS[key]) KEYS[key]();
  else if (key >= '1' && key <= '9' && Number(key) <= thumbs.length) stepChannel(Number(key) - 1);
  else return;
  event.preventDefault();
}

function listen() {
  byId('play').addEventListener('click', () => play());
  byId('back').addEventListener('click', () => seek(state.frame - 1));
  byId('forward').addEventListener('click', () => seek(state.frame + 1));
  byId('scrubber').addEventListener('input', (event) => seek(Number(event.target.value)));
  byId('snapshot').addEventListener('input', (event) => change({ snapshot: Number(event.target.value) }));
  byId('arrows').addEventListener('change', (event) => change({ arrows: event.target.checked }));
  byId('views').addEventListener('change', (event) => change({ view: event.target.value }));
  document.addEventListener('keydown', onKey);

  for (const { canvas } of figures.values()) {
    const point = (event) => {
      const box = canvas.getBoundingClientRect();
      const x = clamp((event.clientX - box.left) / box.width, 0, 1);
      const y = clamp((event.clientY - box.top) / box.height, 0, 1);
      change({ place: [x, y] });
    };
    canvas.addEventListener('pointerdown', point);
    canvas.addEventListener('pointermove', point);
  }
  if (about.scores) {
    const svg = byId('plot');
    const point = (event) => {
      if (event.type === 'pointermove' && !event.buttons) return;
      seek(frameAt(plot.time(event.clientX - svg.getBoundingClientRect().left) + meanGap / 2));
    };
    svg.addEventListener('pointerdown', point);
    svg.addEventListener('pointermove', point);
  }
  new ResizeObserver(() => {
    if (about.scores) drawPlot();
    change();
  }).observe(document.body);
}

async function start() {
  setUp();
  await Promise.all([loadFrame(0), unpack('flow-0')]);
  if (about.scores) drawPlot();
  draw();
  // Milliseconds from opening the page to its first picture; and the state.
  window.explorer = { ready: performance.now(), state };
  listen();
  drawWheel();
  if (tvl1) await unpack('tvl1');
  for (let channel = 1; channel < about.channels.length; channel++) {
    await unpack(`flow-${channel}`);
    change();
  }
  change();
  if (!calm.matches) play(true);
  for (let index = 1; index < count; index++) await loadFrame(index).then(() => index === state.frame && change());
  document.body.dataset.loaded = '';
}

start().catch((error) => {
  byId('message').hidden = false;
  byId('message').textContent = window.DecompressionStream
    ? `The page could not be shown: ${error.message}`
    : 'This page needs a newer browser: Chrome 105, Firefox 121 or Safari 16.4 at least.';
  throw error;
});
