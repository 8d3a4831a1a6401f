/* The frame on a picture: dragged to where it should lie, and narrowed by its corner. */
(() => {
  "use strict";
  const { tell } = window.imagicLora;
  const NARROWEST = 100; // times narrower than it could be
  const SIDES = ["left", "top", "width", "height"];
  let held = null;

  /* What a frame is held by, all of it as shares of the picture. */
  function hold(box, event) {
    const [left, top, width, height] = SIDES.map((side) => parseFloat(box.style[side]) / 100);
    const largest = Math.min(1, width / height);
    const grip = event.target.matches(".grip");
    held = { box, grip, left, top, width, height, largest, x: event.clientX, y: event.clientY };
    held.now = { left, top, width, height };
  }

  const within = (value, low, high) => Math.min(Math.max(value, low), high);

  function moved(across, down) {
    const { left, top, width, height } = held;
    return {
      left: within(left + across, 0, 1 - width),
      top: within(top + down, 0, 1 - height),
      width,
      height,
    };
  }

  function narrowed(across, down) {
    const { left, top, width, height, largest } = held;
    const most = Math.min(largest / width, (1 - left) / width, (1 - top) / height);
    const asked = Math.max((width + across) / width, (height + down) / height);
    const times = within(asked, largest / width / NARROWEST, most);
    return { left, top, width: width * times, height: height * times };
  }

  document.addEventListener("pointerdown", (event) => {
    const box = event.target.closest?.(".view .box");
    if (!box || event.button) return;
    event.preventDefault(); // the picture itself is not dragged away
    box.setPointerCapture(event.pointerId);
    hold(box, event);
  });

  document.addEventListener("pointermove", (event) => {
    if (!held) return;
    const view = held.box.parentElement.getBoundingClientRect();
    const across = (event.clientX - held.x) / view.width;
    const down = (event.clientY - held.y) / view.height;
    held.now = held.grip ? narrowed(across, down) : moved(across, down);
    for (const side of SIDES) held.box.style[side] = `${100 * held.now[side]}%`;
  });

  /* Tell the server where it lies: how narrow it is, and its place across and down. */
  function release() {
    if (!held) return;
    const { now, largest } = held;
    const lies = (start, length) => (length > 0.9999 ? 0.5 : within(start / (1 - length), 0, 1));
    const frame = [largest / now.width, lies(now.left, now.width), lies(now.top, now.height)];
    if (SIDES.some((side) => now[side] !== held[side]))
      tell("crop-drag", frame.map((each) => each.toFixed(4)).join(" "));
    held = null;
  }
  document.addEventListener("pointerup", release);
  document.addEventListener("pointercancel", release);
})();
