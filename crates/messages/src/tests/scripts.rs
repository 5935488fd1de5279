//! Search in every script: a sentence of each, the words that find it, and what must not. All of them stand in one room, so that none finds another.

use super::house::{House, caller};
use crate::search::index;
use contract::Limit;
use contract::RoomKind::Direct;
use contract::calls::messages::{Found, Search};

/// A script's sentence.
struct Sentence {
    script: &'static str,
    text: &'static str,
    /// What finds it, and nothing else. What stands in it as it is written here is marked as one piece.
    finds: &'static [&'static str],
    /// What does not.
    misses: &'static [&'static str],
}

/// The scripts that UAX 31 recommends (table 5), which are those that CLDR has data of languages for. `Common` and `Inherited` are the signs, digits and accents
/// in all of them.
const SENTENCES: [Sentence; 31] = [
    Sentence {
        script: "Arabic",
        text: "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق",
        finds: &["الناس", "احرارا", "أحرارًا", "الكـــرامة", "متساو*"],
        misses: &["كرامة", "النس"],
    },
    Sentence {
        script: "Armenian",
        text: "Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ և իրավունքներով",
        finds: &["մարդիկ", "ԱԶԱՏ", "ԵՒ", "և"],
        misses: &["մարդ", "ազ"],
    },
    Sentence {
        script: "Bengali",
        text: "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে",
        finds: &["মানুষ", "স্বাধীনভাবে", "অধিকার", "নিয়ে", "নিয\u{9bc}ে"],
        misses: &["মানষ", "মান", "সমসত"],
    },
    Sentence {
        script: "Bopomofo", text: "ㄖㄣˊ ㄖㄣˊ ㄕㄥ ㄦˊ ㄗˋ ㄧㄡˊ", finds: &["ㄕㄥ", "ㄗˋ ㄧㄡˊ", "ㄕ"], misses: &["ㄡㄧ", "ㄓ"]
    },
    Sentence {
        script: "Common",
        text: "№5: 42 × 3.14 = 5㎏ ①㊗️ ⏰ 1️⃣ ♫",
        finds: &["42", "3.14", "№5", "㎏", "5kg", "①", "⏰", "1️⃣", "1⃣", "㊗", "♫"],
        misses: &["4", "54", "2️⃣", "⌛"],
    },
    Sentence {
        script: "Cyrillic",
        text: "Все люди рождаются свободными, а м'яч мій упав за ёлку",
        finds: &["люди", "СВОБОДНЫМИ", "елку", "ёлку", "м’яч", "мʼяч"],
        misses: &["люд", "рождается"],
    },
    Sentence {
        script: "Devanagari",
        text: "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है",
        finds: &["मनुष्यों", "स्वतन्त्रता", "है", "अधिकार*"],
        misses: &["मनुष्य", "मनषय", "ह"],
    },
    Sentence {
        script: "Ethiopic",
        text: "የሰው፡ልጅ፡ሁሉ፡ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው።",
        finds: &["ልጅ", "ነጻና", "ነው", "በመብት*"],
        misses: &["ነጻ", "ሰው"],
    },
    Sentence {
        script: "Georgian",
        text: "ყველა ადამიანი იბადება თავისუფალი და თანასწორი",
        finds: &["ადამიანი", "ᲗᲐᲕᲘᲡᲣᲤᲐᲚᲘ", "თანა*"],
        misses: &["ადამიან", "ყველი"],
    },
    Sentence {
        script: "Greek",
        text: "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι· ὁ ἄνθρωπος",
        finds: &["άνθρωποι", "ΕΛΕΥΘΕΡΟΙ", "ολοι", "ΑΝΘΡΩΠΟΣ", "ανθρωποσ"],
        misses: &["άνθρωπο", "λοι"],
    },
    Sentence {
        script: "Gujarati",
        text: "પ્રતિષ્ઠા અને અધિકારોની દૃષ્ટિએ સર્વ માનવો જન્મથી સ્વતંત્ર અને સમાન હોય છે",
        finds: &["માનવો", "સ્વતંત્ર", "દૃષ્ટિએ"],
        misses: &["માનવ", "સવતતર"],
    },
    Sentence {
        script: "Gurmukhi",
        text: "ਸਾਰਾ ਮਨੁੱਖੀ ਪਰਿਵਾਰ ਆਪਣੀ ਮਹਿਮਾ ਸ਼ਾਨ ਅਤੇ ਹੱਕਾਂ ਦੇ ਪੱਖੋਂ ਆਜ਼ਾਦ ਹੈ",
        finds: &["ਮਨੁੱਖੀ", "ਆਜ਼ਾਦ", "ਆਜ\u{a3c}ਾਦ", "ਹੈ"],
        misses: &["ਮਨਖ", "ਆਜਾਦ"],
    },
    Sentence {
        script: "Han",
        text: "人人生而自由，在尊严和权利上一律平等。他們賦有理性和良心",
        finds: &["自由", "尊严", "权利上", "生而自由", "賦有理性", "律"],
        misses: &["由自", "人权", "自由在"],
    },
    Sentence {
        script: "Hangul",
        text: "모든 인간은 태어날 때부터 자유로우며",
        finds: &["인간", "자유", "자유로우며", "\u{110c}\u{1161}\u{110b}\u{1172}"],
        misses: &["간인", "이간"],
    },
    Sentence {
        script: "Hebrew",
        text: "כָּל בְּנֵי הָאָדָם נוֹלְדוּ בני חורין ושווים, כך אמר צה״ל",
        finds: &["האדם", "הָאָדָם", "חורין", "צה\"ל", "צה״ל"],
        misses: &["אדם", "צהל"],
    },
    Sentence {
        script: "Hiragana",
        text: "すべてのにんげんは、うまれながらにしてじゆうであり",
        finds: &["にんげん", "じゆう", "うまれ"],
        misses: &["にんけん", "んに", "しゆう"],
    },
    Sentence {
        script: "Inherited",
        text: "re\u{301}sume\u{301} o\u{308}l क\u{951}विता",
        finds: &["résumé", "resume", "öl", "ol", "कविता", "re\u{301}sume\u{301}"],
        misses: &["re", "कवता"],
    },
    Sentence {
        script: "Kannada",
        text: "ಎಲ್ಲಾ ಮಾನವರೂ ಸ್ವತಂತ್ರರಾಗಿಯೇ ಜನಿಸಿದ್ದಾರೆ",
        finds: &["ಮಾನವರೂ", "ಸ್ವತಂತ್ರರಾಗಿಯೇ", "ಜನಿಸಿ*"],
        misses: &["ಮಾನವರ", "ಎಲಲ"],
    },
    Sentence {
        script: "Katakana",
        text: "コンピュータープログラムとﾃﾞｰﾀﾍﾞｰｽ",
        finds: &["プログラム", "コンピューター", "データベース", "ﾃﾞｰﾀ", "ﾌﾟﾛｸﾞﾗﾑ"],
        misses: &["フロクラム", "グロプ", "テータ"],
    },
    Sentence {
        script: "Khmer",
        text: "មនុស្ស\u{200b}ទាំងអស់កើតមកមានសេរីភាពនិងសមភាព",
        finds: &["មនុស្ស", "សេរីភាព", "សមភាព", "មនុស្សទាំងអស់", "មនុស្ស\u{200b}ទាំង\u{200b}អស់"],
        misses: &["មនស", "សរភាព", "សេរិភាព"],
    },
    Sentence {
        script: "Lao",
        text: "ມະນຸດເກີດມາມີສິດເສລີພາບແລະສະເໝີໜ້າກັນໃນທຳມະຊາດ",
        finds: &["ມະນຸດ", "ເສລີພາບ", "ທຳມະຊາດ", "ທ\u{ecd}\u{eb2}ມະຊາດ"],
        misses: &["ມະນດ", "ເສລິພາບ", "ໜາກັນ"],
    },
    Sentence {
        script: "Latin",
        text: "Übermäßig fröhliche Menschen, naïve façades & «Łódź» — tiếng Việt",
        finds: &["ubermassig", "ÜBERMÄSSIG", "Menschen", "facades", "lodz", "tieng viet", "tiếng"],
        misses: &["Mensch", "fröhlich", "uber"],
    },
    Sentence {
        script: "Malayalam",
        text: "മനുഷ്യരെല്ലാവരും തുല്യാവകാശങ്ങളോടും അന്തസ്സോടും സ്വാതന്ത്ര്യത്തോടുംകൂടി ജനിച്ചവരാണ്‌",
        finds: &["മനുഷ്യരെല്ലാവരും", "തുല്യാവകാശങ്ങളോടും", "ജനിച്ചവരാണ്"],
        misses: &["മനഷ്യരെല്ലാവരും", "അന്തസ്സോട"],
    },
    Sentence {
        script: "Myanmar",
        text: "လူတိုင်းသည် တူညီလွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့် လည်းကောင်း ဗုဒ္ဓ",
        finds: &["လူ", "လွတ်လပ်", "သိက္ခာ", "ဗုဒ္ဓ"],
        misses: &["လတလပ", "လု", "သိကခာ"],
    },
    Sentence {
        script: "Oriya", text: "ସମସ୍ତ ମଣିଷ ଜନ୍ମକାଳରୁ ସ୍ଵାଧୀନ ଏବଂ ସମାନ", finds: &["ମଣିଷ", "ସ୍ଵାଧୀନ", "ଏବଂ"], misses: &["ମଣଷ", "ସମସତ"]
    },
    Sentence {
        script: "Sinhala",
        text: "සියලු මනුෂ්\u{200d}යයෝ නිදහස්ව උපත ලබා ඇත",
        finds: &["මනුෂ්\u{200d}යයෝ", "මනුෂ්යයෝ", "නිදහස්ව"],
        misses: &["මනෂයය", "සියල"],
    },
    Sentence {
        script: "Tamil",
        text: "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்",
        finds: &["சுதந்திரமாகவே", "சகலரும்", "மனித*"],
        misses: &["சதநதரமகவ", "சகலரும"],
    },
    Sentence {
        script: "Telugu",
        text: "మానవులెల్లరును జన్మతః స్వతంత్రులును సమానులును; కైలాసం",
        finds: &["మానవులెల్లరును", "స్వతంత్రులును", "కైలాసం", "క\u{c46}\u{c56}లాసం"],
        misses: &["మానవులు", "కెలాసం", "కలాసం"],
    },
    Sentence {
        script: "Thaana", text: "ހުރިހާ އިންސާނުންވެސް އުފަންވަނީ މިނިވަންކަމުގައި", finds: &["އިންސާނުންވެސް", "ހުރިހާ", "މިނިވަން*"], misses: &["އނސނނވސ", "ހިރިހާ"]
    },
    Sentence {
        script: "Thai",
        text: "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน ฟังวิทยุและทำงาน",
        finds: &["มนุษย์", "อิสระ", "เสมอภาค", "วิทยุ", "ทำงาน", "ท\u{e4d}\u{e32}งาน", "วิทย*"],
        misses: &["มนษย", "วิทย", "ทางาน", "วิทยุฟัง"],
    },
    Sentence {
        script: "Tibetan",
        text: "འགྲོ་བ་མིའི་རིགས་རྒྱུད་ཡོངས་ལ་སྐྱེས་ཙམ་ཉིད་ནས",
        finds: &["རིགས་རྒྱུད", "སྐྱེས", "ཡོངས"],
        misses: &["རགས", "རིགས་ཡོངས", "སྐྱས"],
    },
];

pub async fn every_script_finds_its_own_words(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    for sentence in &SENTENCES {
        house.send(1, room, sentence.text).await;
    }
    let find = async |q: &str| -> Vec<Found> {
        let call = Search { q: q.to_owned(), ..Search::default() };
        house.ask(&caller(2), call).await.unwrap().page.items
    };
    // First out of the log, then out of the index.
    for _ in 0..2 {
        for Sentence { script, text, finds, misses } in &SENTENCES {
            for q in *finds {
                let found = find(q).await;
                let bodies: Vec<_> = found.iter().map(|found| found.message.body.as_str()).collect();
                assert_eq!(bodies, [*text], "{script}: {q}");
                let marked: Vec<_> = found[0].excerpt.iter().filter(|piece| piece.matched).map(|piece| piece.text.as_str()).collect();
                let is_marked =
                    q.split(' ').all(|word| marked.iter().any(|piece| piece.trim_end_matches(['\u{200c}', '\u{fe0f}']) == word));
                assert!(!marked.is_empty() && (!text.contains(q) || is_marked), "{script}: {q} is marked as {marked:?}");
            }
            for q in *misses {
                assert!(find(q).await.iter().all(|found| found.message.body.as_str() != *text), "{script}: {q}");
            }
        }
        index::catch_up(&house.db, 1, |_| {}).await.unwrap();
    }
}

/// What the report of each fault said, and its neighbours: a query, what it finds, what it does not.
const FAULTS: [(&str, &[&str], &[&str]); 27] = [
    ("วิทยุ", &["วิทยุ", "ฟังวิทยุ"], &["วิทยวิธี", "วิทยา"]),
    ("TensorFlow", &["TensorFlow™", "TensorFlow® 2", "a TensorFlow™️!"], &["TensorFlows"]),
    ("™", &["TensorFlow™", "™️"], &["TM", "®"]),
    ("tm", &["TensorFlow™", "TM"], &["TensorFlowTM"]),
    ("install", &["①install", "install①", "❶install"], &["installed"]),
    ("①", &["①install", "1"], &["②install", "11"]),
    ("5", &["5㎏", "хлеб№5", "5²"], &["55㎏"]),
    ("5kg", &["5㎏", "5kg", "5㎏"], &["5 kg", "55㎏"]),
    ("5㎏", &["5㎏", "5kg", "5 kg"], &["kg 5", "15kg"]),
    ("хлеб", &["хлеб№5", "ХЛЕБ"], &["хлебный"]),
    ("H2O", &["H₂O", "h2o"], &["H₂", "H₂O₂"]),
    ("m", &["m²", "M"], &["㎡"]),
    ("⏰", &["⏰", "at ⏰7"], &["⌛", "⏱"]),
    ("⌛", &["⌛"], &["⏳"]),
    ("▶️", &["▶", "▶️ play"], &["⏸"]),
    ("‼", &["‼️", "no‼"], &["!!", "⁉"]),
    ("1️⃣", &["1️⃣ first", "1⃣"], &["1", "2️⃣", "11️"]),
    ("#️⃣", &["#⃣"], &["#", "*️⃣"]),
    ("don't", &["don’t", "donʼt", "donʻt", "don‘t", "don＇t"], &["dont", "don"]),
    ("محمد", &["مـحـمـد", "مُحَمَّد", "محمدﷺ"], &["محمود"]),
    ("🇫🇷", &["🇩🇪🇫🇷", "🇫🇷"], &["🇪🇫🇷🇩", "🇫", "🇷🇫"]),
    ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", &["go 🏴󠁧󠁢󠁥󠁮󠁧󠁿!"], &["🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🏴", "🏴󠁧󠁢󠁷󠁬󠁳󠁿"]),
    ("👩", &["👩", "👩🏽"], &["👩\u{200d}🚀", "👨"]),
    ("👩\u{200d}🚀", &["👩🏽\u{200d}🚀", "👩\u{200d}🚀👍"], &["👩", "🚀", "👩🚀"]),
    ("❤", &["❤️", "❤❤"], &["❤️\u{200d}🔥", "♥"]),
    ("cooperate", &["co\u{ad}operate", "co\u{200d}operate", "\u{200f}cooperate\u{200e}"], &["co operate"]),
    ("صه\u{200c}یون", &["صهیون"], &["صه یون"]),
];

pub async fn each_fault_of_a_report_is_mended(house: House) {
    let room = house.room(1, Direct, None, &[2]).await.id;
    for (q, finds, misses) in FAULTS {
        let call = |from: i64| (Search { q: q.to_owned(), limit: Limit::MOST, ..Search::default() }, from);
        let mut sent = 0;
        for body in finds.iter().chain(misses) {
            sent = house.send(1, room, body).await.seq;
        }
        let first = sent - i64::try_from(finds.len() + misses.len()).unwrap() + 1;
        for _ in 0..2 {
            let (call, first) = call(first);
            let page = house.ask(&caller(2), call).await.unwrap().page;
            let mut found: Vec<_> =
                page.items.iter().filter(|found| found.message.seq >= first).map(|found| found.message.body.as_str()).collect();
            found.reverse();
            assert_eq!(found, *finds, "{q}");
            index::catch_up(&house.db, 1, |_| {}).await.unwrap();
        }
    }
}
