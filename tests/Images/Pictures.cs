using System.Security.Cryptography;
using R1Serverless.Images;
using SkiaSharp;

namespace R1Serverless.Tests.Images;

/// <summary>Small picture files, written by Pillow 9.4, and a picture of any size.</summary>
internal static class Pictures
{
    /// <summary>12 × 8 RGB.</summary>
    public static readonly byte[] Png = Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAAAwAAAAICAIAAABChommAAAARElEQVR42mNkYGAQZ+BDRhIM/KhcPhYGFT4GBmTEj8rlY2DgR1OERQUDAx8LgyoBFQxI1uFUATcJnw"
        + "qISQRUoLkJp70As1wHXcBmnNcAAAAASUVORK5CYII=");

    /// <summary>6 × 4, eight colours.</summary>
    public static readonly byte[] PngPalette = Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAAAYAAAAEBAMAAABfKlNwAAAAGFBMVEWz/8+zqq8a/28aqk+zVY8aVS+zAG8aABDpnqsEAAAAGElEQVR4nGMoL0tjCA1xYTA2FGRQUm"
        + "AAAB+EAvjZCquyAAAAAElFTkSuQmCC");

    /// <summary>6 × 4, gray.</summary>
    public static readonly byte[] PngGray = Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAAAYAAAAECAAAAACIbxGfAAAAH0lEQVR4nAXBAQ0AAAgDIN1McLJo/2hCF6IXzEHmAg8crQIlbGRndwAAAABJRU5ErkJggg==");

    /// <summary>6 × 4, black and white.</summary>
    public static readonly byte[] PngBits = Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAAAYAAAAEAQAAAACFf3PuAAAAEElEQVR4nGOwYWJgYmBiAAABxABDq8u0hgAAAABJRU5ErkJggg==");

    /// <summary>6 × 4, alpha 11 times the pixel's number.</summary>
    public static readonly byte[] PngAlpha = Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAAAYAAAAECAYAAACtBE5DAAAAJklEQVR4nGNkYGBgMGaQ5zZmUEDBLAyh8k4MDArc6JiFIVSBNAkAXO0GjFRcFhYAAAAASUVORK5CYI"
        + "I=");

    /// <summary>24 × 16, chroma halved.</summary>
    public static readonly byte[] Jpeg = Convert.FromBase64String(
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/2wBDAQ"
        + "MEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBT/wAARCAAQABgDASIAAhEBAxEB/8QAHwAAAQUBAQEB"
        + "AQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NT"
        + "Y3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl"
        + "5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdhcRMiMoEIFEKRob"
        + "HBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0"
        + "tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq8vP09fb3+Pn6/9oADAMBAAIRAxEAPwD408NfB37n7j9K9W8NfB37v7j9K+j/AA18Hfu/uP0r1fw18Hfu/u"
        + "P0rzsDmu2p8Twj4jfD7584eGvg79z9x+lFfc3hr4O/c/cfpRX29HNfcWp/XGVeI3+zL3z/2Q==");

    /// <summary>24 × 16, gray.</summary>
    public static readonly byte[] JpegGray = Convert.FromBase64String(
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/wAALCA"
        + "AQABgBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAk"
        + "M2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxM"
        + "XGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/APjTw18HfufuP0r1bw18Hfu/uP0r1fw18HfufuP0ruPDXwd+7+4/SvV/DXwd+7+4/SvV"
        + "/DXwd+5+4/Sv/9k=");

    /// <summary>The same picture as the first JPEG, in scans.</summary>
    public static readonly byte[] JpegProgressive = Convert.FromBase64String(
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/2wBDAQ"
        + "MEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBT/wgARCAAQABgDASIAAhEBAxEB/8QAFgABAQEAAAAA"
        + "AAAAAAAAAAAABwAG/8QAFgEBAQEAAAAAAAAAAAAAAAAABQQH/9oADAMBAAIQAxAAAAEZ1aRq5hDic5zXP//EABYQAAMAAAAAAAAAAAAAAAAAAAAEBf/aAAgBAQABBQ"
        + "JaOLRxaOLRxaOLRz//xAAaEQACAgMAAAAAAAAAAAAAAAAABgQxBSEj/9oACAEDAQE/AcQx1sisfOz/xAAYEQACAwAAAAAAAAAAAAAAAAAABAIDIf/aAAgBAgEBPwGh"
        + "og1h/8QAFRABAQAAAAAAAAAAAAAAAAAAADH/2gAIAQEABj8CiIiI/8QAFRABAQAAAAAAAAAAAAAAAAAAADH/2gAIAQEAAT8hixYsWLF//9oADAMBAAIAAwAAABDYD/"
        + "/EABURAQEAAAAAAAAAAAAAAAAAAAAh/9oACAEDAQE/EAyv/8QAFhEBAQEAAAAAAAAAAAAAAAAAIQAx/9oACAECAQE/EMWG3//EABUQAQEAAAAAAAAAAAAAAAAAAADx"
        + "/9oACAEBAAE/EJaSlpKSlv/Z");

    /// <summary>24 × 16, four inks.</summary>
    public static readonly byte[] JpegCmyk = Convert.FromBase64String(
        "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwADAgIDAgIDAwMDBAMDBAUIBQUEBAUKBwcGCAwKDAwLCgsLDQ4SEA0OEQ4LCxAWEBETFBUVFQwPFxgWFBgSFBUU/8AAFAgAEA"
        + "AYBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNC"
        + "scEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tr"
        + "e4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwD4Q+Df/LD8K+SP+GZP+nT/AMdr4l8BeAv9X+7/AEr9U6+7Pgz/"
        + "AMsPwo/4Zk/6dP8Ax2vpDwF4C/1f7v07UV92/BrrB+FH/DMn/Tp/47X0f4C8Bf6v936dqK/Cb4N/8sPwr9a/+GZP+nT/AMdr5w8BeAv9X+79O1FfdnwZ/wCWH4Uf8M"
        + "yf9On/AI7X0f4C8Bf6v936dqK+7fg11g/Cj/hmT/p0/wDHa+j/AAF4C/1f7v8ASiv/2Q==");

    /// <summary>The same picture as the PNG.</summary>
    public static readonly byte[] WebpLossless = Convert.FromBase64String(
        "UklGRkoAAABXRUJQVlA4TD0AAAAvC8ABAJmM6H9sIqL/oUDQtm0K5uMPMiTeVCCQwi3uDg8xAT9jVA0vyIuIifWiE7PfiWkvE1P7KqO4YAERAA==");

    /// <summary>24 × 16, lossy.</summary>
    public static readonly byte[] Webp = Convert.FromBase64String(
        "UklGRnIAAABXRUJQVlA4IGYAAADQAwCdASoYABAAPm00k0akIyGhMAgAgA2JbACdMoRwACm73iYzL4AA/v1vW6sTgFOlV3v06eqWunvQz6ZJu5yTYTfyHGWf+tOLPP"
        + "2yyOXzv5p0GsS6p2Qpz2c7P/UJQwBw/2QAAAA=");

    /// <summary>4 × 4, two frames.</summary>
    public static readonly byte[] WebpAnimated = Convert.FromBase64String(
        "UklGRtQAAABXRUJQVlA4WAoAAAACAAAAAwAAAwAAQU5JTQYAAAAAAAAAAABBTk1GTgAAAAAAAAAAAAMAAAMAAGQAAAJWUDhMNgAAAC8DwAAAf0CQbfNB1l/mEFNFkG"
        + "1znhX9kvPfhlkCpAcEeg8ABAEQaxYsWDBpwYIFIxH9D4TVfEFOTUZSAAAAAAAAAAAAAwAAAwAAZAAAAFZQOEw6AAAALwPAAAB/QJBt80HWX+YQU0WQbXOeDv2S89+G"
        + "WQKkBwR6DwAKItmg3kcFFVRQUgUVVFAzov/xfbU5AQ==");

    /// <summary>4 × 4.</summary>
    public static readonly byte[] Gif = Convert.FromBase64String(
        "R0lGODdhBAAEAIcAAKrVvwDVaoBVaoAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACwAAAAABAAEAAAIEQAHCBwgoKCAAAIAAAigEEBAADs=");

    /// <summary>2 × 2.</summary>
    public static readonly byte[] Bmp = Convert.FromBase64String(
        "Qk1GAAAAAAAAADYAAAAoAAAAAgAAAAIAAAABABgAAAAAABAAAADEDgAAxA4AAAAAAAAAAAAAf/8A////AAAAAAB/AP8AAA==");

    /// <summary>2 × 2.</summary>
    public static readonly byte[] Tiff = Convert.FromBase64String(
        "SUkqAAgAAAAKAAABBAABAAAAAgAAAAEBBAABAAAAAgAAAAIBAwADAAAAhgAAAAMBAwABAAAAAQAAAAYBAwABAAAAAgAAABEBBAABAAAAjAAAABUBAwABAAAAAwAAAB"
        + "YBBAABAAAAAgAAABcBBAABAAAADAAAABwBAwABAAAAAQAAAAAAAAAIAAgACAAAAAD/AH8A/3////8=");

    /// <summary>Smooth in red, rings in green, noise in blue: the reference's numbers were made of the same.</summary>
    public static PixelImage Made(int width, int height)
    {
        var pixels = new uint[width * height];
        for (var y = 0L; y < height; y++)
        {
            for (var x = 0L; x < width; x++)
            {
                var (red, green) = (((x * 7) + (y * 3)) % 256, ((x * x) + (y * y * 5)) / 7 % 256);
                var blue = (((x * 2654435761) + (y * 40503 * 97)) >> 5) % 256;
                pixels[(y * width) + x] = (uint)(red | green << 8 | blue << 16);
            }
        }

        return new PixelImage(width, height, pixels);
    }

    /// <summary>8 × 8 of one colour, as a PNG.</summary>
    public static byte[] Plain(byte red, byte green, byte blue)
    {
        using SKBitmap bitmap = new(8, 8);
        bitmap.Erase(new SKColor(red, green, blue));
        using var file = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return file.ToArray();
    }

    /// <summary>Red, green, blue of every pixel, row by row.</summary>
    public static byte[] Rgb(PixelImage image) =>
    [
        .. Enumerable.Range(0, image.Height).SelectMany(y => image.Row(y).ToArray())
            .SelectMany(pixel => (byte[])[(byte)pixel, (byte)(pixel >> 8), (byte)(pixel >> 16)]),
    ];

    /// <summary>The first 16 digits of the SHA-256.</summary>
    public static string Digest(ReadOnlySpan<byte> content) => Convert.ToHexStringLower(SHA256.HashData(content))[..16];
}
