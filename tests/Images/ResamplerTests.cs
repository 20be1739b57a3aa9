using R1Serverless.Images;
using R1Serverless.Models.Images;

namespace R1Serverless.Tests.Images;

public sealed class ResamplerTests
{
    /// <summary>From a size to a size, and the digest of what Pillow 9.4's Image.resize makes of the same picture.</summary>
    public static TheoryData<int, int, int, int, ResampleFilter, string> Published => new()
    {
        { 64, 48, 32, 32, ResampleFilter.Nearest, "6998765db0445305" },
        { 64, 48, 32, 32, ResampleFilter.Lanczos, "e64c2cafd00d0185" },
        { 64, 48, 32, 32, ResampleFilter.Bilinear, "f2c82a670dcd57e3" },
        { 64, 48, 32, 32, ResampleFilter.Bicubic, "1c0e6e999ad64eb7" },
        { 64, 48, 32, 32, ResampleFilter.Box, "977ff1d184f5e7a9" },
        { 64, 48, 32, 32, ResampleFilter.Hamming, "690ad83715368c42" },
        { 50, 37, 224, 160, ResampleFilter.Nearest, "45fb5e4bcdffd709" },
        { 50, 37, 224, 160, ResampleFilter.Lanczos, "1e296f20dd8f634d" },
        { 50, 37, 224, 160, ResampleFilter.Bilinear, "fbbbe50cf007d909" },
        { 50, 37, 224, 160, ResampleFilter.Bicubic, "e34181f7c1ae7367" },
        { 50, 37, 224, 160, ResampleFilter.Box, "45fb5e4bcdffd709" },
        { 50, 37, 224, 160, ResampleFilter.Hamming, "342971908816d4b0" },
        { 301, 203, 97, 41, ResampleFilter.Nearest, "51dcf420709fbc1f" },
        { 301, 203, 97, 41, ResampleFilter.Lanczos, "5396e198f58dc1b7" },
        { 301, 203, 97, 41, ResampleFilter.Bilinear, "0768ed4f292babf8" },
        { 301, 203, 97, 41, ResampleFilter.Bicubic, "f202a89fe5b92418" },
        { 301, 203, 97, 41, ResampleFilter.Box, "3d5ccfbd1585d22a" },
        { 301, 203, 97, 41, ResampleFilter.Hamming, "7ae79b59377b01ec" },
        { 640, 427, 256, 171, ResampleFilter.Nearest, "d3460d365c9d04ce" },
        { 640, 427, 256, 171, ResampleFilter.Lanczos, "83b3eec5e8e328bb" },
        { 640, 427, 256, 171, ResampleFilter.Bilinear, "c7eca04f468185fc" },
        { 640, 427, 256, 171, ResampleFilter.Bicubic, "41060ff9ea373bc3" },
        { 640, 427, 256, 171, ResampleFilter.Box, "5f09802d255ba0d3" },
        { 640, 427, 256, 171, ResampleFilter.Hamming, "1169c6c074074d63" },
        { 1000, 3, 7, 3, ResampleFilter.Nearest, "eaf1d626628ae7ee" },
        { 1000, 3, 7, 3, ResampleFilter.Lanczos, "3f2f94c6166291ea" },
        { 1000, 3, 7, 3, ResampleFilter.Bilinear, "6f71407042055e5f" },
        { 1000, 3, 7, 3, ResampleFilter.Bicubic, "7c3a4f9d0a749639" },
        { 1000, 3, 7, 3, ResampleFilter.Box, "173928a264550952" },
        { 1000, 3, 7, 3, ResampleFilter.Hamming, "77a5b67e6df35a0f" },
        { 33, 65, 33, 20, ResampleFilter.Nearest, "d389ed0a40a2dadc" },
        { 33, 65, 33, 20, ResampleFilter.Lanczos, "88cfbfbdb5d70d45" },
        { 33, 65, 33, 20, ResampleFilter.Bilinear, "da17839589fcf5a2" },
        { 33, 65, 33, 20, ResampleFilter.Bicubic, "e9825c595aa3eb83" },
        { 33, 65, 33, 20, ResampleFilter.Box, "e2970ebb9b5dd1d1" },
        { 33, 65, 33, 20, ResampleFilter.Hamming, "895d632825eac7f3" },
        { 5, 5, 1, 1, ResampleFilter.Nearest, "499860c41460003b" },
        { 5, 5, 1, 1, ResampleFilter.Lanczos, "9c34a92f6d0825b7" },
        { 5, 5, 1, 1, ResampleFilter.Bilinear, "fcd0c16c9a98e704" },
        { 5, 5, 1, 1, ResampleFilter.Bicubic, "92bf4ba02eb5598e" },
        { 5, 5, 1, 1, ResampleFilter.Box, "0e762d99ef9a1e02" },
        { 5, 5, 1, 1, ResampleFilter.Hamming, "62476c577baa3399" },
    };

    [Theory]
    [MemberData(nameof(Published))]
    public void Every_filter_gives_Pillow_s_bytes(int width, int height, int newWidth, int newHeight, ResampleFilter filter, string digest)
    {
        var resized = Resampler.Resize(Pictures.Made(width, height), newWidth, newHeight, filter, new ImagePart(0, 0, newWidth, newHeight));
        Assert.Equal((newWidth, newHeight, digest), (resized.Width, resized.Height, Pictures.Digest(Pictures.Rgb(resized))));
    }

    [Fact]
    public void A_part_is_that_part_of_the_whole()
    {
        var image = Pictures.Made(301, 203);
        foreach (var filter in Enum.GetValues<ResampleFilter>())
        {
            foreach (var (width, height) in ((int, int)[])[(97, 41), (301, 60), (120, 203), (301, 203), (400, 300)])
            {
                var whole = Resampler.Resize(image, width, height, filter, new ImagePart(0, 0, width, height));
                ImagePart part = new(11, 7, width - 30, height - 20);
                var cut = Resampler.Resize(image, width, height, filter, part);
                Assert.Equal((part.Width, part.Height), (cut.Width, cut.Height));
                for (var y = 0; y < part.Height; y++)
                    Assert.Equal(whole.Row(part.Top + y).Slice(part.Left, part.Width).ToArray(), cut.Row(y).ToArray(), SameColour);
            }
        }
    }

    [Fact]
    public void A_resize_ends_when_nobody_waits_for_it() =>
        Assert.Throws<OperationCanceledException>(() => Resampler.Resize(
            Pictures.Made(64, 64), 32, 32, ResampleFilter.Bilinear, new ImagePart(0, 0, 32, 32), new CancellationToken(canceled: true)));

    private static bool SameColour(uint one, uint other) => (one & 0xFFFFFF) == (other & 0xFFFFFF);
}
