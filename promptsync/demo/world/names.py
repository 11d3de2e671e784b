"""Entirely fictitious names of people, as data, and the way to draw one. Knows nothing of what they say."""

from random import Random

_FIRST = """
Aaliyah Abdul Adaeze Ahmed Aiko Alejandra Alice Amara Amit Ana Andre Anh Anika Antonio Aroha Asha Aurelio Beatriz Bola
Brigid Camila Carlos Chandra Chen Chloé Cedric Dalisay Dana Darius Deepa Delphine Dmitri Eduardo Eleni Elijah Emeka
Esperanza Fatima Felipe Feng Freya Gabriela Gideon Grace Guadalupe Hana Hassan Hector Hyun-woo Ibrahim Imani Ines Iris
Jamal Javier Jasmine Jin Joaquín José Joy Kavita Keanu Kenji Kofi Kiona Lamar Leilani Lena Linh Lucía Luis Mai Malik
Manuel Maria Marisol Mateo Mei Minh Mohamed Nadia Naomi Niamh Noor Obinna Olga Omar Paloma Parisa Paul Phuong Priya
Quentin Rafael Rashida Ravi Renée Rosa Ruth Samira Sandeep Santiago Sefa Shanice Sofía Soo-jin Sunita Tadeo Tala Tamika
Tenzin Thandiwe Tomás Uchenna Valentina Vikram Wanjiru Winona Xochitl Yara Yesenia Yuki Zainab Zoë
"""

_LAST = """
Abara Aguilar Ahmadi Akana Alvarez Anderson Andrade Baptiste Barrios Begay Bello Bianchi Brooks Bui Cabrera Calderón
Castillo Chang Chavez Cho Cohen Cruz Dang Das Delgado Desai Diallo Diaz Dominguez Edwards Eze Farah Fernandez Fischer
Flores Foster Fuentes Garcia Ghosh Gomez Gutiérrez Haddad Hall Hernandez Hoang Hosseini Huang Ibarra Iyer Jackson
Jimenez Johnson Joseph Kaur Kealoha Khan Kim Kovács Kumar Lam Le Lee Leon Lopez Mahmoud Maldonado Mbeki Medina Mehta
Mendoza Miller Moreau Morales Murphy Nakamura Navarro Ndiaye Nguyen Nolan Núñez O'Brien Ochoa Okafor Ortiz Osei Park
Patel Peña Pereira Pham Popov Quispe Ramirez Reyes Rivera Robinson Rojas Romero Ruiz Saito Salazar Sanchez Santos Shah
Silva Singh Smith Soto Suárez Tanaka Tesfaye Thompson Torres Tran Tsosie Vaca Vargas Vega Walker Wang Washington
Williams Wong Xiong Yamamoto Yang Young Zamora Zhou
"""


def full_name(rng: Random) -> str:
    """A first and a last name, now and then a double last name."""
    name = f"{rng.choice(_FIRST.split())} {rng.choice(_LAST.split())}"
    return f"{name}-{rng.choice(_LAST.split())}" if rng.random() < 0.03 else name


def renamed(name: str, rng: Random) -> str:
    """How a name is corrected later: another last name, mostly."""
    first, _, last = name.partition(" ")
    while (new := rng.choice(_LAST.split())) == last:
        pass
    return f"{first} {new}"
