/* What the pictures of the page do when they are touched; the server knows nothing of it. */
window.imagicLora = (() => {
  "use strict";
  const LARGEST = 8;
  let chosen = null; // address of the picture that was chosen by hand
  let title = "";

  /* A name that outlives loading the page anew, drawn when it is first asked for. */
  function drawn(storage) {
    const known = storage.getItem("imagic-lora");
    if (known) return known;
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const fresh = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    storage.setItem("imagic-lora", fresh);
    return fresh;
  }
  const tab = () => drawn(sessionStorage); // of this browser tab
  const visitor = () => drawn(localStorage); // of all tabs of this browser

  /* What the fields hold outlives loading the page anew. */
  function keep(names, values) {
    const held = Object.fromEntries(names.map((name, index) => [name, values[index]]));
    sessionStorage.setItem("imagic-lora-form", JSON.stringify(held));
    return [];
  }
  const kept = () => sessionStorage.getItem("imagic-lora-form") || "{}";

  /* Give a file to an upload button, as if it had been chosen there. */
  function upload(name, file) {
    const field = document.querySelector(`#${name} input[type=file], input[type=file]#${name}`)
      || document.querySelector(`#${name}`)?.parentElement.querySelector("input[type=file]");
    if (!field) return;
    const files = new DataTransfer();
    files.items.add(file);
    field.files = files.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }

  /* Write into a field as if it had been typed there. */
  function write(field, text) {
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value").set.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /* Tell the server something through a field that nobody sees. */
  const tell = (name, text) => write(document.querySelector(`#${name} textarea, #${name} input`), text);

  const pictureOf = (data) =>
    [...(data?.files || [])].find((file) => !file.name.endsWith(".safetensors"));

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
  }

  /* Go from one small picture to its neighbour: across are strengths, down are seeds. */
  function step(stage, key) {
    const thumbs = [...stage.querySelectorAll(".thumb")];
    const now = thumbs.findIndex((thumb) => thumb.getAttribute("aria-pressed") === "true");
    const sheet = stage.querySelector(".sheet");
    if (now < 0 || !sheet) return false;
    const columns = Number(getComputedStyle(sheet).getPropertyValue("--columns"));
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
    const next = by && thumbs[now + by];
    if (!next) return false;
    chosen = next.dataset.src;
    show(next);
    if (!stage.classList.contains("full")) next.focus();
    return true;
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
    if (thumb) {
      chosen = thumb.dataset.src;
      show(thumb);
    }
    const button = event.target.closest("[data-act=full]");
    if (button) full(button.closest(".stage"), !button.closest(".stage").classList.contains("full"));
    const more = event.target.closest("[data-act=further]");
    if (more) further(more.closest(".stage"));
    const prompt = event.target.closest("[data-prompt]");
    if (prompt) write(document.querySelector("#target textarea"), prompt.dataset.prompt);
    const cancel = event.target.closest("[data-cancel]");
    if (cancel) tell("jobs-cancel", cancel.dataset.cancel);
    const by = event.target.closest("[data-step]");
    if (by) step(by.closest(".stage"), by.dataset.step);
    if (event.target.closest("[data-press=picture]")) document.querySelector("#picture").click();
  });

  document.addEventListener("input", (event) => {
    if (event.target.matches(".cut"))
      event.target.closest(".view").style.setProperty("--cut", `${event.target.value}%`);
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
    const typing = event.target.matches?.(".cut, textarea, input");
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

  /* A picture may be dropped or pasted anywhere. */
  document.addEventListener("dragover", (event) => {
    if ([...event.dataTransfer.types].includes("Files")) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const file = pictureOf(event.dataTransfer);
    if (!file) return;
    event.preventDefault();
    upload("picture", file);
  });
  document.addEventListener("paste", (event) => {
    const file = pictureOf(event.clipboardData);
    if (file) upload("picture", file);
  });

  /* What was chosen by hand stays so when more pictures come; the title tells how far a run is. */
  function follow() {
    const thumb = chosen && document.querySelector(`.thumb[data-src="${CSS.escape(chosen)}"]`);
    if (thumb && thumb.getAttribute("aria-pressed") !== "true") show(thumb);
    const bar = document.querySelector("#edit-status [role=progressbar]");
    title ||= document.title;
    const next = bar ? `${bar.getAttribute("aria-valuenow")} % · ${title}` : title;
    if (title && document.title !== next) document.title = next;
  }
  const observe = () =>
    new MutationObserver(follow).observe(document.body, { childList: true, subtree: true });
  if (document.body) observe();
  else document.addEventListener("DOMContentLoaded", observe);

  /* The line of jobs is looked at as long as somebody can see it. */
  setInterval(() => {
    if (!document.hidden) document.querySelector("#jobs-look")?.click();
  }, 2000);

  return { keep, kept, tab, upload, visitor };
})();
