"""Texts that are no chest admission notes, written for this purpose."""

from __future__ import annotations

SPANISH = (
    "Paciente que acude a urgencias por dificultad respiratoria de tres días de evolución.",
    "Refiere tos con expectoración amarillenta y fiebre de hasta treinta y nueve grados.",
    "Niega dolor torácico, palpitaciones o pérdida de conocimiento.",
    "Antecedentes de hipertensión arterial y diabetes en tratamiento con metformina.",
    "Fumador de un paquete al día desde hace veinte años.",
    "A la exploración se encuentra consciente, orientado y algo sudoroso.",
    "La auscultación muestra crepitantes en la base derecha sin sibilancias.",
    "El abdomen es blando y no doloroso, y no hay edemas en las piernas.",
    "Se solicita analítica, hemocultivos y radiografía de tórax.",
    "Se inicia tratamiento antibiótico y se decide ingreso en la planta de medicina interna.",
    "La familia ha sido informada y está de acuerdo con el plan.",
    "Se repetirá la analítica mañana por la mañana antes del pase de visita.",
)

RECIPE = (
    "Preheat the oven to two hundred degrees and butter a deep baking dish.",
    "Peel four large potatoes and slice them as thinly as you can.",
    "Chop two onions and soften them slowly in olive oil until golden.",
    "Whisk the cream with three eggs, a pinch of nutmeg and plenty of pepper.",
    "Layer the potatoes and onions in the dish and pour the cream over them.",
    "Scatter grated cheese on top and cover everything loosely with foil.",
    "Bake for forty minutes, then take the foil off and bake until brown.",
    "Meanwhile wash the lettuce and make a dressing with lemon and honey.",
    "Let the dish rest for ten minutes before you cut it into squares.",
    "Leftovers keep for two days in the fridge and taste better when reheated.",
    "For a lighter version use half milk, and add a handful of spinach.",
    "Serve it with the salad and a glass of cold cider.",
)

ORTHOPAEDICS = (
    "Seen in the fracture clinic six weeks after a fall from a bicycle.",
    "The left distal radius fracture was treated in a plaster cast.",
    "The cast was taken off today and the skin is intact.",
    "She reports stiffness of the wrist and a dull ache at night.",
    "No numbness or tingling of the fingers.",
    "On examination flexion is forty degrees and extension thirty.",
    "Grip strength is reduced compared with the right hand.",
    "There is mild tenderness over the ulnar styloid.",
    "The radiograph shows callus and an acceptable position.",
    "Past medical history: hypothyroidism, on levothyroxine.",
    "Plan: hand physiotherapy twice a week and no heavy lifting.",
    "Review in two months with a new radiograph of the wrist.",
)
