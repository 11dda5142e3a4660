"""A slider for a figure: the browser's own, with a name, values without stray digits, and keys."""

import anywidget
import traitlets


class Slider(anywidget.AnyWidget):
    """A number between `low` and `high` in steps of `step`, named `label`; `value` follows what the learner does."""

    _esm = """
    function render({ model, el }) {
      const label = document.createElement("label");
      const input = document.createElement("input");
      const shown = document.createElement("span");
      const digits = (String(model.get("step")).split(".")[1] || "").length;
      input.type = "range";
      input.min = model.get("low");
      input.max = model.get("high");
      input.step = model.get("step");
      input.value = model.get("value");
      input.style.width = "24rem";
      input.style.maxWidth = "60vw";
      input.setAttribute("aria-label", model.get("label"));
      input.dataset.lmSuppressShortcuts = "true";  // the arrows are the slider's, not the notebook's
      const say = () => {
        const text = Number(input.value).toFixed(digits);
        shown.textContent = text;
        input.setAttribute("aria-valuetext", text);
      };
      input.addEventListener("input", () => {
        say();
        model.set("value", Number(Number(input.value).toFixed(digits)));
        model.save_changes();
      });
      say();
      label.append(model.get("label") + " ", input, " ", shown);
      el.append(label);
    }
    export default { render };
    """
    label = traitlets.Unicode().tag(sync=True)
    low = traitlets.Float().tag(sync=True)
    high = traitlets.Float().tag(sync=True)
    step = traitlets.Float().tag(sync=True)
    value = traitlets.Float().tag(sync=True)
