/* Painting a mask: what is painted white may change. What is made goes to the page as a file. */
imagicLora.paint = (() => {
  "use strict";
  const PAINT = "#0d9488";
  const MOST_UNDO = 12;
  const LAID_OUT = `
    <div class="paint-bar">
      <label>Brush <input type="range" name="size" min="1" max="40" value="8"></label>
      <button type="button" name="erase" aria-pressed="false">Eraser</button>
      <button type="button" name="undo">Undo</button>
      <button type="button" name="invert">Invert</button>
      <button type="button" name="clear">Clear</button>
      <span></span>
      <button type="button" name="cancel">Cancel</button>
      <button type="button" name="done" class="strong">Use this mask</button>
    </div>
    <div class="paint-place"><img alt=""><canvas aria-label="Paint over what may change"></canvas></div>`;
  let last = null; // what was painted on which picture

  function open() {
    const picture = document.querySelector("#stage .before")
      || document.querySelector("#stage .view > img");
    if (!picture || !picture.naturalWidth) return;
    const dialog = Object.assign(document.createElement("dialog"), { className: "painter" });
    dialog.setAttribute("aria-label", "Paint over what may change");
    dialog.innerHTML = LAID_OUT;
    document.querySelector(".gradio-container").append(dialog);
    const image = dialog.querySelector("img");
    const canvas = dialog.querySelector("canvas");
    image.src = picture.src;
    if (picture.closest(".sharp")) image.classList.add("crisp");
    // A small picture is painted in finer steps than its own pixels.
    const times = Math.max(1, Math.round(512 / Math.max(picture.naturalWidth, picture.naturalHeight)));
    canvas.width = picture.naturalWidth * times;
    canvas.height = picture.naturalHeight * times;
    dialog.querySelector(".paint-place").style.setProperty("--ratio", canvas.width / canvas.height);
    brush(dialog, canvas, picture.src);
    dialog.addEventListener("close", () => dialog.remove());
    dialog.showModal();
  }

  function brush(dialog, canvas, source) {
    const pen = canvas.getContext("2d");
    const done = [];
    let at = null;
    if (last && last.source === source) pen.drawImage(last.canvas, 0, 0);

    const keep = () => {
      done.push(pen.getImageData(0, 0, canvas.width, canvas.height));
      if (done.length > MOST_UNDO) done.shift();
    };
    const point = (event) => {
      const box = canvas.getBoundingClientRect();
      return [
        ((event.clientX - box.left) / box.width) * canvas.width,
        ((event.clientY - box.top) / box.height) * canvas.height,
      ];
    };
    const stroke = (to) => {
      const erases = dialog.querySelector("[name=erase]").getAttribute("aria-pressed") === "true";
      const share = Number(dialog.querySelector("[name=size]").value) / 100;
      pen.globalCompositeOperation = erases ? "destination-out" : "source-over";
      Object.assign(pen, { lineCap: "round", lineJoin: "round", strokeStyle: PAINT });
      pen.lineWidth = share * Math.min(canvas.width, canvas.height);
      pen.beginPath();
      pen.moveTo(...at);
      pen.lineTo(to[0] + 0.01, to[1]);
      pen.stroke();
      at = to;
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      keep();
      at = point(event);
      stroke(at);
    });
    canvas.addEventListener("pointermove", (event) => at && stroke(point(event)));
    for (const name of ["pointerup", "pointercancel"])
      canvas.addEventListener(name, () => (at = null));

    const deeds = {
      erase: (button) =>
        button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true")),
      undo: () => done.length && pen.putImageData(done.pop(), 0, 0),
      clear: () => {
        keep();
        pen.clearRect(0, 0, canvas.width, canvas.height);
      },
      invert: () => {
        keep();
        pen.globalCompositeOperation = "xor";
        pen.fillStyle = PAINT;
        pen.fillRect(0, 0, canvas.width, canvas.height);
      },
      cancel: () => dialog.close(),
      done: () => {
        last = { source, canvas };
        white(canvas).toBlob((blob) => {
          imagicLora.upload("edit-mask", new File([blob], "painted.png", { type: "image/png" }));
          dialog.close();
        });
      },
    };
    dialog.addEventListener("click", (event) => deeds[event.target.name]?.(event.target));
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "z" && (event.ctrlKey || event.metaKey)) deeds.undo();
    });
  }

  /* What was painted, in white; the rest is empty, which counts as black. */
  function white(painted) {
    const mask = document.createElement("canvas");
    mask.width = painted.width;
    mask.height = painted.height;
    const pen = mask.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, mask.width, mask.height);
    pen.globalCompositeOperation = "destination-in";
    pen.drawImage(painted, 0, 0);
    return mask;
  }

  return open;
})();
