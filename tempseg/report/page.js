"use strict";
(() => {
  const root = document.documentElement;
  const page = JSON.parse(document.getElementById("page-data").textContent);
  const videos = [...document.querySelectorAll("video[data-run]")];
  const charts = [...document.querySelectorAll("[data-chart]")];
  const whole = [...page.range];
  const player = document.getElementById("player");
  const playhead = document.getElementById("playhead");
  const coarse = matchMedia("(pointer: coarse)").matches;
  let span = [...whole];
  let now = whole[0];

  /* Frames: the page tells them in ticks of a tenth of a millisecond. */

  const TICK_S = 1e-4;
  const ORIGINS = { s: "segmented", p: "propagated", i: "interpolated" };

  class Frames {
    constructor(run) {
      let tick = run.first_tick;
      this.run = run;
      this.times = Float64Array.from([0, ...run.ticks], (step) => (tick += step) * TICK_S);
      this.keyframes = new Map(run.keyframes);
    }
    /** The place of the frame that shows at a time. */
    at(time) {
      let low = 0;
      let high = this.times.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (this.times[middle] <= time + TICK_S / 2) low = middle;
        else high = middle - 1;
      }
      return low;
    }
    number(place) {
      return this.run.numbers ? this.run.numbers[place] : place;
    }
    /** The next keyframe in a direction, or the place itself. */
    keyframe(place, direction) {
      for (let i = place + direction; i >= 0 && i < this.times.length; i += direction) {
        if (this.keyframes.has(i)) return i;
      }
      return place;
    }
  }
  const runs = page.runs.map((run) => new Frames(run));

  /* Colours: charts name CSS properties, and take what those mean in the current theme. */

  const dressed = (value, style) => {
    if (Array.isArray(value)) {
      return typeof value[0] === "object" ? value.map((v) => dressed(v, style)) : value;
    }
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, dressed(v, style)]));
    }
    if (typeof value !== "string") return value;
    return value.replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
  };

  const STEPS_S = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
    14400, 43200, 86400,
  ];

  const clock = (time, step) => {
    if (page.unit === "frame") return String(+time.toFixed(2));
    if (whole[1] < 120) return `${+time.toFixed(2)} s`;
    return byMinutes(time, step);
  };

  const byMinutes = (time, step) => {
    const places = step < 1 ? 2 : 0;
    const sign = time < 0 ? "-" : "";
    const rest = Math.abs(+time.toFixed(2));
    const seconds = (rest % 60).toFixed(places).padStart(places ? 3 + places : 2, "0");
    const minutes = Math.floor(rest / 60) % 60;
    const hours = Math.floor(rest / 3600);
    return hours
      ? `${sign}${hours}:${String(minutes).padStart(2, "0")}:${seconds}`
      : `${sign}${minutes}:${seconds}`;
  };

  const timeAxis = (width) => {
    const room = Math.max(2, Math.floor((width - 58) / 56));
    const step = STEPS_S.find((s) => (span[1] - span[0]) / s <= room) || 86400;
    const first = Math.ceil(span[0] / step - 1e-9);
    const last = Math.floor(span[1] / step + 1e-9);
    const values = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
    return { range: [...span], tickvals: values, ticktext: values.map((t) => clock(t, step)) };
  };

  const ruler = document.createElement("canvas").getContext("2d");
  const SLACK_PX = 28;

  /** Shorten the titles of rows that would run into what stands at their right, or be cut. */
  const shorten = (layout) => {
    const room = layout.width - layout.margin.l - layout.margin.r;
    ruler.font = `bold ${layout.font.size}px ${layout.font.family}`;
    for (const note of layout.annotations) {
      const beside = layout.annotations.filter((other) => other.y === note.y);
      const told = beside.map(({ text }) => text.replace(/<[^>]*>/g, "")).join("");
      if (ruler.measureText(told).width + SLACK_PX > room) note.text = note.narrow_text ?? note.text;
    }
  };

  const draw = () => {
    const style = getComputedStyle(root);
    for (const box of charts) {
      const { data, layout } = dressed(page.charts[box.dataset.chart], style);
      const width = box.clientWidth;
      layout.width = width;
      shorten(layout);
      Object.assign(layout.xaxis, timeAxis(width));
      Plotly.react(box, data, layout, {
        displayModeBar: false,
        doubleClick: false,
        showTips: false,
        // Under a finger a chart must let the page scroll; a tap still seeks.
        staticPlot: coarse,
      });
    }
    placeCursors();
  };

  /* The playhead, on every chart at once. */

  const placeCursors = () => {
    for (const box of charts) {
      const axis = box._fullLayout && box._fullLayout.xaxis;
      const cursor = box.querySelector(".cursor");
      if (!axis || !cursor) continue;
      const at = axis.d2p(now);
      cursor.hidden = at < 0 || at > axis._length;
      cursor.style.left = `${axis._offset + at}px`;
      cursor.style.height = `${box._fullLayout.height - box._fullLayout.margin.b}px`;
    }
    const [frames] = runs;
    if (!frames) return;
    const place = frames.at(now);
    const reason = frames.keyframes.get(place);
    const origin = ORIGINS[frames.run.origins[place]] || "";
    const told = document.createElement("b");
    told.textContent = now < 120 ? `${now.toFixed(2)} s` : byMinutes(now, 0.01);
    const kind = reason ? `keyframe (${reason.replaceAll("_", " ")})` : origin;
    playhead.replaceChildren(told, `  frame ${frames.number(place)}, ${kind}`);
  };

  const timeOf = (video) => video.currentTime + page.runs[video.dataset.run].origin_s;

  const seek = (time) => {
    now = Math.min(Math.max(time, whole[0]), whole[1]);
    for (const video of videos) {
      video.currentTime = Math.max(0, now - page.runs[video.dataset.run].origin_s);
    }
    placeCursors();
    followed = true;
    dock();
  };

  /** Seek to a frame: a touch past its time, so that rounding does not show the one before. */
  const seekFrame = (place) => seek(runs[0].times[place] + 5 * TICK_S);

  let following = false;
  const follow = () => {
    const video = videos.find((one) => !one.paused && !one.ended);
    following = video !== undefined;
    if (!following) return;
    now = timeOf(video);
    placeCursors();
    requestAnimationFrame(follow);
  };

  for (const video of videos) {
    video.addEventListener("play", () => {
      followed = true;
      if (!following) follow();
      for (const other of videos) if (other !== video && other.paused) other.play();
    });
    video.addEventListener("pause", () => {
      for (const other of videos) if (other !== video && !other.paused) other.pause();
    });
    video.addEventListener("seeked", () => {
      if (video !== videos[0] && document.activeElement !== video) return;
      if (Math.abs(timeOf(video) - now) > 1e-3) {
        now = timeOf(video);
        for (const other of videos) {
          if (other !== video) other.currentTime = now - page.runs[other.dataset.run].origin_s;
        }
        placeCursors();
      }
    });
  }

  /* Charts: a click seeks, a drag zooms all of them. */

  const REACH_PX = 7;

  const clicked = (box, event) => {
    const axis = box._fullLayout.xaxis;
    const x = event.clientX - box.getBoundingClientRect().left - axis._offset;
    if (x < -REACH_PX || x > axis._length + REACH_PX) return;
    const time = axis.p2d(Math.min(Math.max(x, 0), axis._length));
    if (box.dataset.chart !== "timeline") return seek(time);
    // A mark is thin: near one, the click means it.
    const near = runs
      .flatMap((frames) => [...frames.keyframes.keys()].map((place) => frames.times[place]))
      .map((at) => [Math.abs(axis.d2p(at) - x), at])
      .filter(([distance]) => distance <= REACH_PX)
      .sort((a, b) => a[0] - b[0]);
    seek(near.length ? near[0][1] + 5 * TICK_S : time);
  };

  const back = document.createElement("button");
  back.id = "whole";
  back.type = "button";
  back.hidden = true;
  back.textContent = "Show the whole video";
  back.addEventListener("click", () => zoom(whole));
  document.body.append(back);

  const zoom = ([from, to]) => {
    span = [Math.max(from, whole[0]), Math.min(to, whole[1])];
    if (!(span[1] > span[0])) span = [...whole];
    back.hidden = span[0] === whole[0] && span[1] === whole[1];
    for (const box of charts) {
      const axis = timeAxis(box.clientWidth);
      Plotly.relayout(box, Object.fromEntries(Object.entries(axis).map(([k, v]) => [`xaxis.${k}`, v])));
    }
    placeCursors();
  };

  /* The video follows into the corner when a chart far below it has been clicked. */

  let followed = false;
  let inView = true;
  const undock = document.createElement("button");
  undock.id = "undock";
  undock.type = "button";
  undock.textContent = "×";
  undock.setAttribute("aria-label", "Close the small video");
  const dock = () => {
    if (videos.length) player.classList.toggle("docked", followed && !inView);
  };
  undock.addEventListener("click", () => {
    followed = false;
    videos.forEach((video) => video.pause());
    dock();
  });
  if (videos.length) {
    const screens = player.querySelector(".screens");
    screens.append(undock);
    const twentieths = Array.from({ length: 21 }, (_, i) => i / 20);
    const watch = new IntersectionObserver((entries) => {
      const entry = entries[entries.length - 1];
      // The buttons alone, or a strip of the video, are not the video.
      const enough = Math.min(entry.boundingClientRect.height / 4, innerHeight / 2);
      inView = entry.intersectionRect.height > enough;
      // Held open, so that the page does not jump when the video leaves its place.
      if (inView) player.style.minHeight = "";
      else player.style.minHeight = `${player.offsetHeight}px`;
      dock();
    }, { threshold: twentieths });
    watch.observe(player);
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-seek], [data-step], .copy, #theme");
    if (!target) return;
    if (target.dataset.seek) seek(+target.dataset.seek + 5 * TICK_S);
    else if (target.dataset.step) step(target.dataset.step);
    else if (target.id === "theme") setTheme(root.dataset.theme === "dark" ? "light" : "dark");
    else copy(target);
  });

  const step = (name) => {
    const [frames] = runs;
    const place = frames.at(now);
    const last = frames.times.length - 1;
    const direction = name.endsWith("back") ? -1 : 1;
    videos.forEach((video) => video.pause());
    if (name.startsWith("keyframe")) seekFrame(frames.keyframe(place, direction));
    else seekFrame(Math.min(Math.max(place + direction, 0), last));
  };

  const copy = async (button) => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "selected";
    }
    setTimeout(() => (button.textContent = "copy"), 1500);
  };

  /* Light and dark: as the system says, until somebody chooses. */

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const KEY = "tempseg-theme";
  const remembered = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const showTheme = (name) => {
    root.dataset.theme = name;
    document.getElementById("theme").textContent = name === "dark" ? "Light" : "Dark";
    draw();
  };
  const setTheme = (name) => {
    try {
      localStorage.setItem(KEY, name);
    } catch {
      // The choice then lasts as long as the page.
    }
    showTheme(name);
  };
  dark.addEventListener("change", () => remembered() || showTheme(dark.matches ? "dark" : "light"));
  showTheme(remembered() || (dark.matches ? "dark" : "light"));

  for (const box of charts) {
    const cursor = document.createElement("div");
    cursor.className = "cursor";
    box.append(cursor);
    box.addEventListener("click", (event) => clicked(box, event));
    box.on("plotly_relayout", (change) => {
      const from = change["xaxis.range[0]"];
      if (from !== undefined) zoom([from, change["xaxis.range[1]"]]);
    });
  }
  /* On paper: light, and as wide as A4 between its margins. */

  const PAPER_PX = 700;
  addEventListener("beforeprint", () => {
    document.body.style.width = `${PAPER_PX}px`;
    document.body.style.padding = "0";
    root.dataset.theme = "light";
    draw();
  });
  addEventListener("afterprint", () => {
    document.body.removeAttribute("style");
    showTheme(remembered() || (dark.matches ? "dark" : "light"));
  });

  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    draw();
  });
  placeCursors();
})();
