/* What the page does by itself in the browser: names, fields, files, jobs and notices. */
window.imagicLora = (() => {
  "use strict";
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

  /* Tell the server something by a button that nobody sees. */
  let words = "";
  const said = () => words;
  function tell(name, text) {
    words = text;
    document.querySelector(`#${name}`).click();
  }

  const pictureOf = (data) =>
    [...(data?.files || [])].find((file) => !file.name.endsWith(".safetensors"));

  document.addEventListener("click", (event) => {
    const example = event.target.closest("[data-example]");
    if (example) tell("example-take", example.dataset.example);
    const cancel = event.target.closest("[data-cancel]");
    if (cancel) tell("jobs-cancel", cancel.dataset.cancel);
    const run = event.target.closest("[data-run]");
    if (run) tell("history-run", run.dataset.run);
    if (event.target.closest("[data-act=notify]")) notify();
    if (event.target.closest("[data-press=picture]")) document.querySelector("#picture").click();
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

  /* A notice at the end of a run, for whoever has asked for it and looks elsewhere by then. */
  let running = [];
  const asked = () => sessionStorage.getItem("imagic-lora-notice") === "on";
  async function notify() {
    const answer = await Notification.requestPermission();
    if (answer === "granted") sessionStorage.setItem("imagic-lora-notice", "on");
    offer();
  }
  function offer() {
    const may = "Notification" in window && Notification.permission !== "denied" && !asked();
    for (const button of document.querySelectorAll("[data-act=notify]")) button.hidden = !may;
  }
  function notice() {
    const now = ["edit", "compare"].filter((name) => document.querySelector(`#${name}-stop`));
    for (const name of running.filter((each) => !now.includes(each))) later(name);
    running = now;
  }
  /* The words of the end come a moment later; on a slow line, the bar is still there until then. */
  function later(name) {
    setTimeout(() => {
      const status = document.querySelector(`#${name}-status`);
      if (status.querySelector("[role=progressbar]")) return later(name);
      if (asked() && !document.hasFocus()) new Notification(title, { body: status.innerText.trim() });
    }, 500);
  }

  /* The title tells how far a run is. */
  function follow() {
    const bar = document.querySelector("#edit-status [role=progressbar]");
    title ||= document.title;
    const next = bar ? `${bar.getAttribute("aria-valuenow")} % · ${title}` : title;
    if (title && document.title !== next) document.title = next;
    offer();
    notice();
  }
  /* Do something whenever anything comes or goes. */
  function observe(act) {
    const begin = () =>
      new MutationObserver(act).observe(document.body, { childList: true, subtree: true });
    if (document.body) begin();
    else document.addEventListener("DOMContentLoaded", begin);
  }
  observe(follow);

  /* The line of jobs is looked at as long as somebody can see it, but not under a hand or a key. */
  setInterval(() => {
    const held = document.querySelector("#jobs button:is(:hover, :focus)");
    if (!document.hidden && !held) document.querySelector("#jobs-look")?.click();
  }, 2000);

  return { keep, kept, observe, said, tab, tell, upload, visitor };
})();
