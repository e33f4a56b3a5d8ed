// A map over a photograph, as strong as one likes: the photograph lies upon it, and is more or less transparent.

/** Give a picture that has its photograph with it a slider. */
export const fadable = picture => {
  const photograph = picture.querySelector("img.beneath");
  if (!photograph || picture.parentNode.querySelector("label.fade")) return;
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: 0, max: 1, step: 0.01, value: 1 });
  slider.setAttribute("aria-label", "Opacity of the map over the picture");
  slider.addEventListener("input", () => { photograph.style.opacity = 1 - slider.value; });
  const label = document.createElement("label");
  label.className = "fade";
  label.append("photograph ", slider, " map");
  picture.after(label);
};
