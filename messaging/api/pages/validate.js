// Sends a file as soon as it is chosen or dropped; without this script the button does.
"use strict";

const form = document.querySelector("form.drop");
const input = form.querySelector("input[type=file]");
const tooLarge = document.getElementById("too-large");

function send() {
  const file = input.files[0];
  if (!file) return;
  tooLarge.hidden = file.size <= Number(form.dataset.limit);
  if (tooLarge.hidden) form.requestSubmit();
}

input.addEventListener("change", send);

for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) form.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("over");
  if (!event.dataTransfer.files.length) return;
  const one = new DataTransfer();
  one.items.add(event.dataTransfer.files[0]);
  input.files = one.files;
  send();
});

const result = document.getElementById("result");
if (result) result.focus({ preventScroll: true });
