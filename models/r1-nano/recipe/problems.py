"""The problems r1-nano learns: questions, column-wise reasoning and answers, split by a hash of the operands.

Every family is a function `random.Random -> Problem`. A problem belongs to the held-out set when the hash of its
family and operands says so (`is_held_out`), whatever its phrasing or language, so no operands of the evaluation
are ever seen in training. Operands of commutative families are hashed in sorted order.
"""
import hashlib
import random
from dataclasses import dataclass

HELD_OUT_PERCENT = 10


@dataclass(frozen=True)
class Problem:
    family: str
    key: str        # family and operands in canonical order: what the split hashes
    question: str
    thought: str
    answer: str


def is_held_out(problem):
    digest = hashlib.sha256(problem.key.encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < HELD_OUT_PERCENT


# ---- column-wise arithmetic: each returns the lines of the thought -------------------------------------------

def add_lines(a, b):
    width = max(len(str(a)), len(str(b)))
    x, y = str(a).zfill(width), str(b).zfill(width)
    lines, carry = [f"{x}+{y}"], 0
    for i in reversed(range(width)):
        total = int(x[i]) + int(y[i]) + carry
        lines.append(f"{x[i]}+{y[i]}{'+1' if carry else ''}={total}")
        carry = total // 10
    return lines + [f"={a + b}"]


def compare_lines(x, y):
    """Digit by digit from the left until two differ. x and y are strings of one width."""
    lines = []
    for p, q in zip(x, y):
        if p == ".":
            continue
        sign = "=" if p == q else "<" if p < q else ">"
        lines.append(f"{p}{sign}{q}")
        if sign != "=":
            break
    return lines


def subtract_lines(a, b):
    """Which is larger decides the sign; then columns from the right, a borrowed ten in front of the digit."""
    width = max(len(str(a)), len(str(b)))
    x, y = str(a).zfill(width), str(b).zfill(width)
    lines = [f"{x}-{y}"] + [",".join(compare_lines(x, y))]
    if a < b:
        x, y = y, x
        lines.append(f"-({x}-{y})")
    borrow, digits = 0, ""
    for i in reversed(range(width)):
        p, q = int(x[i]), int(y[i])
        need = p - borrow < q
        digit = p + 10 * need - borrow - q
        lines.append(f"{10 * need + p}{'-1' if borrow else ''}-{q}={digit}")
        borrow, digits = int(need), str(digit) + digits
    return lines + [f"={'-' if a < b else ''}{digits}", f"={a - b}"]


def times_digit_lines(a, d):
    lines, carry = [f"{a}*{d}"], 0
    for digit in reversed(str(a)):
        product = int(digit) * d
        lines.append(f"{digit}*{d}={product}" + (f",{product}+{carry}={product + carry}" if carry else ""))
        carry = (product + carry) // 10
    return lines + [f"={a * d}"]


def times_two_digits_lines(a, b):
    tens, ones = divmod(b, 10)
    return times_digit_lines(a, ones) + times_digit_lines(a, tens) + add_lines(a * tens * 10, a * ones)


# ---- phrasings -----------------------------------------------------------------------------------------------

ADD_EN = ["What is {a} + {b}?", "{a} + {b} = ?", "{a}+{b}", "{a}+{b}=", "Calculate {a} + {b}.", "Add {a} and {b}.",
          "What is {a} plus {b}?", "What's {a} + {b}?", "Compute {a}+{b}.", "How much is {a} plus {b}?", "What is the sum of {a} and {b}?"]
ADD_ZH = ["{a}+{b}等于多少？", "{a}加{b}等于多少？", "计算{a}+{b}。", "{a} + {b} = ？", "{a}加{b}是多少？", "求{a}与{b}的和。", "请计算{a}加{b}。"]
SUB_EN = ["What is {a} - {b}?", "{a} - {b} = ?", "{a}-{b}", "{a}-{b}=", "Calculate {a} - {b}.", "Subtract {b} from {a}.",
          "What is {a} minus {b}?", "What's {a} - {b}?", "Compute {a}-{b}.", "How much is {a} minus {b}?"]
SUB_ZH = ["{a}-{b}等于多少？", "{a}减{b}等于多少？", "计算{a}-{b}。", "{a} - {b} = ？", "{a}减去{b}是多少？", "求{a}与{b}的差。", "请计算{a}减{b}。"]
MUL_EN = ["What is {a} × {b}?", "{a} × {b} = ?", "{a}*{b}", "{a}*{b}=", "Calculate {a} * {b}.", "Multiply {a} by {b}.",
          "What is {a} times {b}?", "What's {a} * {b}?", "Compute {a}*{b}.", "How much is {a} times {b}?", "What is the product of {a} and {b}?", "What is {a} x {b}?"]
MUL_ZH = ["{a}×{b}等于多少？", "{a}乘以{b}等于多少？", "计算{a}×{b}。", "{a} * {b} = ？", "{a}乘{b}是多少？", "求{a}与{b}的积。", "请计算{a}乘以{b}。"]
WHICH_EN = ["Which is {w}, {a} or {b}?", "Which number is {w}: {a} or {b}?", "{a} or {b}: which is {w}?", "What is the {w} one of {a} and {b}?"]
WHICH_ZH = ["{a}和{b}哪个{w}？", "哪个{w}，{a}还是{b}？", "{a}与{b}相比，哪个{w}？"]
IS_EN = ["Is {a} {w} than {b}?", "Is it true that {a} is {w} than {b}?", "Is the number {a} {w} than {b}?"]
IS_ZH = ["{a}比{b}{w}吗？", "{a}是不是比{b}{w}？", "请问{a}比{b}{w}吗？"]

THINK = {"add": ("Add the columns from the right.", "从右往左逐位相加。"),
         "subtract": ("Compare, then subtract the columns from the right.", "先比较大小，再从右往左逐位相减。"),
         "multiply_digit": ("Multiply digit by digit from the right.", "从右往左逐位相乘。"),
         "multiply_two_digits": ("Multiply by the ones, then by the tens, and add.", "先乘个位，再乘十位，最后相加。"),
         "compare": ("Line up the digits and compare from the left.", "对齐数位，从左往右比较。"),
         "word": ("Two steps.", "分两步。")}


def _as_people_write(rng, text):
    if rng.random() < 0.25 and text[-1] in ".?。？":
        text = text[:-1].rstrip()
    if rng.random() < 0.25:
        text = text[0].lower() + text[1:]
    if rng.random() < 0.3:
        text = text.replace("？", "?").replace("，", ",")
    return text


def _number(rng, digits):
    return rng.randint(10 ** (digits - 1) if digits > 1 else 0, 10 ** digits - 1)


def _calculation(rng, family, operands, commutative, phrasings, a, b, lines, answer):
    zh = rng.random() < 0.4
    question = _as_people_write(rng, rng.choice(phrasings[zh]).format(a=a, b=b))
    key = family + ":" + ",".join(map(str, sorted(operands) if commutative else operands))
    return Problem(family, key, question, "\n".join([THINK[family][zh]] + lines), str(answer))


def add(rng):
    a, b = _number(rng, rng.randint(1, 4)), _number(rng, rng.randint(1, 4))
    return _calculation(rng, "add", (a, b), True, (ADD_EN, ADD_ZH), a, b, add_lines(a, b), a + b)


def subtract(rng):
    a, b = _number(rng, rng.randint(1, 4)), _number(rng, rng.randint(1, 4))
    if rng.random() < 0.15:
        b = max(0, a + rng.randint(-12, 12))
    if a < b and rng.random() < 0.6:
        a, b = b, a
    return _calculation(rng, "subtract", (a, b), False, (SUB_EN, SUB_ZH), a, b, subtract_lines(a, b), a - b)


def multiply_digit(rng):
    a, d = _number(rng, rng.choice([1, 2, 3, 3, 4, 4])), rng.randint(0, 9)
    shown = (d, a) if rng.random() < 0.25 else (a, d)
    if shown[0] < 10:
        a, d = shown[1], shown[0]
    return _calculation(rng, "multiply_digit", (a, d), True, (MUL_EN, MUL_ZH), *shown, times_digit_lines(a, d), a * d)


def multiply_two_digits(rng):
    a, b = rng.randint(10, 99), rng.randint(10, 99)
    return _calculation(rng, "multiply_two_digits", (a, b), True, (MUL_EN, MUL_ZH), a, b, times_two_digits_lines(a, b), a * b)


def _decimal_pair(rng):
    def decimals():
        n = rng.choice([0, 1, 1, 2, 2, 3])
        return "".join(rng.choice("0123456789") for _ in range(n))
    if rng.random() < 0.2:
        a, b = (str(_number(rng, rng.randint(1, 4))) for _ in range(2))
        return a, b
    whole = [str(_number(rng, rng.choice([1, 1, 2, 3]))) for _ in range(2)]
    if rng.random() < 0.7:
        whole[1] = whole[0]
    parts = [decimals(), decimals()]
    if rng.random() < 0.3 and parts[0] and parts[1]:
        parts[1] = parts[0][0] + parts[1][1:]
    if rng.random() < 0.07:
        whole[1], parts[1] = whole[0], parts[0] + "0"
    texts = [w + ("." + p if p else "") for w, p in zip(whole, parts)]
    if rng.random() < 0.5:
        texts.reverse()
    return texts[0], texts[1]


def _lined_up(a, b):
    pairs = [(t.split(".") + [""])[:2] for t in (a, b)]
    whole, decimals = (max(len(p[i]) for p in pairs) for i in (0, 1))
    return [p[0].zfill(whole) + ("." + p[1].ljust(decimals, "0") if decimals else "") for p in pairs]


def compare(rng):
    zh, (a, b) = rng.random() < 0.4, _decimal_pair(rng)
    x, y = _lined_up(a, b)
    sign = "=" if x == y else "<" if x < y else ">"
    thought = "\n".join([THINK["compare"][zh], x, y] + compare_lines(x, y) + [f"{a}{sign}{b}"])
    key = "compare:" + ",".join(sorted((a, b)))
    large = rng.random() < 0.6
    wanted = ">" if large else "<"
    if rng.random() < 0.5:
        word = rng.choice([["larger", "bigger", "greater"], ["smaller", "less"][:1]][not large]) if not zh else "大" if large else "小"
        question = rng.choice((WHICH_EN, WHICH_ZH)[zh]).format(a=a, b=b, w=word)
        answer = ("They are equal.", "一样大。")[zh] if sign == "=" else a if sign == wanted else b
    else:
        word = rng.choice([["larger", "bigger", "greater"], ["smaller", "less"]][not large]) if not zh else "大" if large else "小"
        question = rng.choice((IS_EN, IS_ZH)[zh]).format(a=a, b=b, w=word)
        verdict = (("No", "不是"), ("Yes", "是"))[sign == wanted][zh]
        answer = f"{verdict}{'。' if zh else '.'} {a} {sign} {b}"
    return Problem("compare", key, _as_people_write(rng, question), thought, answer)


NAMES_EN = ["Tom", "Anna", "Ben", "Lucy", "Sam", "Mia"]
NAMES_ZH = ["小明", "小红", "小华", "小丽", "小刚", "小芳"]
THINGS_EN = ["apples", "books", "pens", "coins", "stamps", "cards"]
THINGS_ZH = ["个苹果", "本书", "支笔", "枚硬币", "张邮票", "张卡片"]
STORIES = [  # (operations, English tellings, Chinese tellings)
    ("+-", ["{n} has {a} {t}. {n} buys {b} more and gives away {c}. How many {t} does {n} have now?",
            "{n} had {a} {t}, got {b} more, then lost {c}. How many {t} are left?"],
           ["{n}有{a}{t}，又买了{b}{u}，送给别人{c}{u}。{n}现在有多少{t}？", "{n}有{a}{t}，得到{b}{u}，又丢了{c}{u}，还剩多少{t}？"]),
    ("-+", ["{n} has {a} {t}. {n} gives away {b} and then buys {c}. How many {t} does {n} have now?",
            "There are {a} {t} on a table. {n} takes {b} and puts back {c}. How many {t} are on the table?"],
           ["{n}有{a}{t}，送出{b}{u}，又买了{c}{u}。{n}现在有多少{t}？", "桌上有{a}{t}，{n}拿走{b}{u}，又放回{c}{u}。桌上有多少{t}？"]),
    ("*+", ["{n} has {a} boxes with {b} {t} each and {c} more {t}. How many {t} does {n} have?",
            "{n} buys {a} bags of {b} {t} and finds {c} more. How many {t} is that in total?"],
           ["{n}有{a}盒，每盒{b}{t}，另外还有{c}{u}。一共有多少{t}？", "{n}买了{a}袋，每袋{b}{t}，又找到{c}{u}。一共有多少{t}？"]),
    ("*-", ["{n} has {a} boxes with {b} {t} each and gives away {c}. How many {t} are left?",
            "{n} buys {a} bags of {b} {t} and loses {c}. How many {t} does {n} still have?"],
           ["{n}有{a}盒，每盒{b}{t}，送出{c}{u}。还剩多少{t}？", "{n}买了{a}袋，每袋{b}{t}，丢了{c}{u}。还剩多少{t}？"]),
]


def word(rng):
    zh = rng.random() < 0.4
    operations, en, cn = rng.choice(STORIES)
    if operations[0] == "*":
        a, b = rng.randint(2, 9), rng.randint(2, 9)
        first = a * b
    else:
        a, b = rng.randint(2, 20), rng.randint(1, 20)
        if operations[0] == "-":
            a, b = max(a, b) + 1, min(a, b)
        first = a + b if operations[0] == "+" else a - b
    c = rng.randint(1, min(20, first - 1)) if operations[1] == "-" else rng.randint(1, 20)
    last = first + c if operations[1] == "+" else first - c
    name = rng.randrange(len(NAMES_EN))
    thing = rng.randrange(len(THINGS_EN))
    question = rng.choice((en, cn)[zh]).format(
        a=a, b=b, c=c, n=(NAMES_EN, NAMES_ZH)[zh][name], t=(THINGS_EN, THINGS_ZH)[zh][thing], u=THINGS_ZH[thing][0])
    thought = "\n".join([THINK["word"][zh], f"{a}{operations[0]}{b}={first}", f"{first}{operations[1]}{c}={last}"])
    return Problem("word", f"word:{operations}:{a},{b},{c}", _as_people_write(rng, question), thought, str(last))


ABOUT_EN = "I am r1-nano, a very small reasoning model. I add, subtract, multiply and compare numbers. Try: What is 347 + 85?"
ABOUT_ZH = "我是r1-nano，一个很小的推理模型。我会加减乘法和比较大小。试试：347+85等于多少？"
SMALL_TALK = [(["Hello", "Hi", "Hello!", "Hi there", "Who are you?", "What can you do?", "Help", "What are you?", "Tell me a joke.",
                "What is your name?", "How are you?", "Good morning"], "This is not a calculation.", ABOUT_EN),
              (["你好", "你是谁？", "你会做什么？", "帮助", "你叫什么名字？", "早上好", "你好！", "讲个笑话"], "这不是算术题。", ABOUT_ZH)]


def small_talk(rng):
    questions, thought, answer = SMALL_TALK[rng.random() < 0.4]
    question = _as_people_write(rng, rng.choice(questions))
    return Problem("small_talk", "small_talk", question, thought, answer)


FAMILIES = {"add": add, "subtract": subtract, "multiply_digit": multiply_digit, "multiply_two_digits": multiply_two_digits,
            "compare": compare, "word": word}
WEIGHTS = {"add": 14, "subtract": 20, "multiply_digit": 15, "multiply_two_digits": 20, "compare": 20, "word": 11}


def draw(rng, family, held_out):
    """One problem of the family from the wanted side of the split."""
    while True:
        problem = FAMILIES[family](rng)
        if is_held_out(problem) == held_out:
            return problem


def draw_training(rng):
    if rng.random() < 0.015:
        return small_talk(rng)
    family = rng.choices(list(WEIGHTS), WEIGHTS.values())[0]
    return draw(rng, family, held_out=False)


def evaluation_set(per_family, seed):
    """`per_family` held-out problems of each family, no question twice."""
    rng, problems = random.Random(seed), []
    for family in FAMILIES:
        seen = set()
        while len(seen) < per_family:
            problem = draw(rng, family, held_out=True)
            if problem.question not in seen:
                seen.add(problem.question)
                problems.append(problem)
    return problems


if __name__ == "__main__":
    rng = random.Random(1)
    for f in FAMILIES:
        for _ in range(2):
            p = draw(rng, f, False)
            print(f"[{p.key}] {p.question}\n<think>\n{p.thought}\n</think>\n\n{p.answer}\n")
