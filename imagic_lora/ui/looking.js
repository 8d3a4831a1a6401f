/* What the pictures of the page do when they are touched; the server knows nothing of it. */
(() => {
  "use strict";
  const { observe, tell, upload } = window.imagicLora;
  const LARGEST = 8;
  let chosen = null; // address of the picture that was chosen by hand

  /* Show one of the small pictures in large. */
  function show(thumb) {
    const stage = thumb.closest(".stage");
    for (const other of stage.querySelectorAll(".thumb")) {
      other.setAttribute("aria-pressed", String(other === thumb));
      other.tabIndex = other === thumb ? 0 : -1;
    }
    const large = stage.querySelector(".view .after");
    large.src = thumb.dataset.src;
    large.alt = thumb.getAttribute("aria-label");
    stage.querySelector(".about b").textContent = thumb.dataset.title;
    stage.querySelector(".facts-line").textContent = thumb.dataset.facts;
    const link = stage.querySelector(".one");
    link.href = thumb.dataset.src;
    link.download = thumb.dataset.file;
    stage.querySelector(".pair .which").textContent = thumb.dataset.caption;
    slide(thumb);
  }

  /* Let the slider stand at the strength that is shown. */
  function slide(thumb) {
    const through = thumb.closest(".stage").querySelector(".through input");
    if (!through) return;
    const row = strengths(thumb);
    through.max = row.length - 1;
    through.value = row.indexOf(thumb);
    through.setAttribute("aria-valuetext", thumb.dataset.title);
  }

  const pressed = (stage) => stage.querySelector(".thumb[aria-pressed=true]");

  /* The pictures of a seed, from the weakest to the strongest. */
  const strengths = (thumb) =>
    [...thumb.closest(".sheet").querySelectorAll(`.thumb[data-seed="${thumb.dataset.seed}"]`)].sort(
      (one, other) => one.dataset.alpha - other.dataset.alpha);

  function choose(thumb) {
    chosen = thumb.dataset.src;
    show(thumb);
  }

  /* Show a second picture beside the first, or the first alone again. */
  function beside(stage, other) {
    const second = stage.querySelector(".second");
    stage.classList.toggle("beside", Boolean(other));
    stage.classList.remove("choosing");
    second.hidden = !other;
    stage.querySelector(".thumb.other")?.classList.remove("other");
    stage.querySelector("[data-act=beside]").textContent = other ? "One alone" : "Side by side";
    if (!other) return;
    other.classList.add("other");
    second.querySelector("img").src = other.dataset.src;
    second.querySelector("img").alt = other.getAttribute("aria-label");
    second.querySelector(".which").textContent = other.dataset.caption;
  }

  function compare(stage) {
    if (stage.classList.contains("beside") || stage.classList.contains("choosing")) {
      beside(stage, null);
      return;
    }
    stage.classList.add("choosing");
    stage.querySelector("[data-act=beside]").textContent = "Now choose the other one";
  }

  function press(thumb, event) {
    const stage = thumb.closest(".stage");
    const other = stage.classList.contains("choosing") || event.shiftKey;
    if (other && thumb !== pressed(stage)) beside(stage, thumb);
    else choose(thumb);
  }

  /* Go from one small picture to its neighbour: across are strengths, down are seeds. */
  function step(stage, key) {
    const thumbs = [...stage.querySelectorAll(".thumb")];
    const focused = thumbs.indexOf(document.activeElement);
    const now = focused < 0 ? thumbs.indexOf(pressed(stage)) : focused;
    if (now < 0) return false;
    const sideways = { ArrowLeft: -1, ArrowRight: 1 }[key];
    const next = sideways ? thumbs[now + sideways] : above(thumbs, now, key);
    if (!next) return false;
    if (!stage.classList.contains("choosing")) choose(next);
    if (!stage.classList.contains("full")) next.focus();
    return true;
  }

  /* The picture of the same strength of the seed above or below. */
  function above(thumbs, now, key) {
    const seeds = [...new Set(thumbs.map((thumb) => thumb.dataset.seed))];
    const { seed, alpha } = thumbs[now].dataset;
    const next = seeds[seeds.indexOf(seed) + { ArrowUp: -1, ArrowDown: 1 }[key]];
    const row = thumbs.filter((thumb) => thumb.dataset.seed === next);
    return row.find((thumb) => thumb.dataset.alpha === alpha) || row[0];
  }

  function full(stage, on) {
    stage.classList.toggle("full", on);
    document.documentElement.style.overflow = on ? "hidden" : "";
    const view = stage.querySelector(".view");
    view.style.setProperty("--zoom", 1);
    const button = stage.querySelector("[data-act=full]");
    button.textContent = on ? "Close (Esc)" : "Full window";
    if (on) button.focus();
  }

  /* Make a result the next picture: drawn anew, so that it brings no settings back. */
  function further(stage) {
    const large = stage.querySelector(".view .after");
    const canvas = document.createElement("canvas");
    canvas.width = large.naturalWidth;
    canvas.height = large.naturalHeight;
    canvas.getContext("2d").drawImage(large, 0, 0);
    canvas.toBlob((blob) => upload("picture", new File([blob], "edited.png", { type: blob.type })));
  }

  document.addEventListener("click", (event) => {
    const thumb = event.target.closest(".thumb");
    if (thumb) press(thumb, event);
    const pair = event.target.closest("[data-act=beside]");
    if (pair) compare(pair.closest(".stage"));
    const between = event.target.closest("[data-act=finer]")?.closest(".stage");
    if (between) {
      const two = [pressed(between), between.querySelector(".thumb.other")];
      tell("edit-finer", two.map((each) => each.dataset.alpha).join(" "));
    }
    const button = event.target.closest("[data-act=full]");
    if (button) full(button.closest(".stage"), !button.closest(".stage").classList.contains("full"));
    const more = event.target.closest("[data-act=further]");
    if (more) further(more.closest(".stage"));
    const by = event.target.closest("[data-step]");
    if (by) step(by.closest(".stage"), by.dataset.step);
  });

  document.addEventListener("input", (event) => {
    if (event.target.matches(".cut"))
      event.target.closest(".view").style.setProperty("--cut", `${event.target.value}%`);
    if (event.target.matches(".through input"))
      choose(strengths(pressed(event.target.closest(".stage")))[event.target.value]);
  });

  const hold = (event, on) => {
    const button = event.target.closest?.("[data-act=hold]");
    if (button) button.closest(".stage").classList.toggle("held", on);
    else if (!on) document.querySelectorAll(".held").forEach((each) => each.classList.remove("held"));
  };
  for (const name of ["pointerdown"]) document.addEventListener(name, (event) => hold(event, true));
  for (const name of ["pointerup", "pointercancel"])
    document.addEventListener(name, (event) => hold(event, false));

  document.addEventListener("keydown", (event) => {
    if ([" ", "Enter"].includes(event.key) && event.target.matches?.("[data-act=hold]"))
      hold(event, true);
    const large = document.querySelector(".stage.full");
    if (event.key === "Escape" && large) full(large, false);
    const stage = large || event.target.closest?.(".sheet")?.closest(".stage");
    if (event.key === "Escape" && !large)
      document.querySelectorAll(".beside, .choosing").forEach((each) => beside(each, null));
    const typing = event.target.matches?.("textarea, input");
    if (stage && !typing && step(stage, event.key)) event.preventDefault();
  });
  document.addEventListener("keyup", (event) => hold(event, false));

  /* In the full window the wheel looks closer, at where the pointer is. */
  document.addEventListener("wheel", (event) => {
    const view = event.target.closest?.(".stage.full .view");
    if (!view) return;
    event.preventDefault();
    const now = Number(view.style.getPropertyValue("--zoom") || 1);
    const next = now * (event.deltaY < 0 ? 1.25 : 0.8);
    view.style.setProperty("--zoom", Math.min(Math.max(next, 1), LARGEST));
  }, { passive: false });
  document.addEventListener("pointermove", (event) => {
    const view = event.target.closest?.(".stage.full .view");
    if (!view) return;
    const box = view.getBoundingClientRect();
    view.style.setProperty("--x", `${(100 * (event.clientX - box.left)) / box.width}%`);
    view.style.setProperty("--y", `${(100 * (event.clientY - box.top)) / box.height}%`);
  });

  /* What was chosen by hand stays so when more pictures come. */
  observe(() => {
    document.querySelectorAll(".thumb[aria-pressed=true]").forEach(slide);
    const thumb = chosen && document.querySelector(`.thumb[data-src="${CSS.escape(chosen)}"]`);
    if (thumb && thumb.getAttribute("aria-pressed") !== "true") show(thumb);
  });
})();
